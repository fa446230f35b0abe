"""Resume tokens: a caller who was cut off shows one, and the conversation goes on."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, StringConstraints

from edge.clock import Clock
from edge.session.errors import ResumeRefused
from edge.session.keys import NONCE_BYTES
from regions.models import Id, Strict

PREFIX = "rs_"
MAX_TOKEN = 4096
"""Longest token that is looked at, characters."""
_BINDING = b"inland resume token 1"

Ids = Annotated[tuple[Id, ...], Field(min_length=1, max_length=32)]


class ResumeClaims(Strict):
    """What a resume token says. The caller cannot read it."""

    v: Literal[1] = 1
    session_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
    tenant: Id
    agent: Id
    region: Id
    """Where the session is kept."""
    allowed_regions: Ids
    policy: Annotated[str, StringConstraints(max_length=128)]
    jurisdictions: Ids
    expires_at: int
    """Unix seconds."""
    dedicated: Literal[True] | None = None
    """The tenant has nodes of its own; else there is no such key, which older nodes refuse."""
    recording: Ids | None = None
    """Regions that may have a recording; without the key there is none."""


class ResumeTokens:
    """Issues and verifies the resume tokens of one region.

    ``secret`` is 32 bytes that the nodes of the region share and nobody else has:
    ``LocalKeyFile.subkey("resume")``. A token is ``rs_`` and the claims sealed with AES-256-GCM, so
    that it says nothing to whoever holds it and any node of the region can read it offline.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._cipher = AESGCM(secret)
        self._clock = clock

    def issue(
        self,
        session_id: str,
        tenant: str,
        agent: str,
        region: str,
        allowed_regions: Sequence[str],
        policy: str,
        jurisdictions: Sequence[str],
        lifetime_s: int,
        *,
        dedicated: bool = False,
        recording: Sequence[str] = (),
    ) -> tuple[str, int]:
        """A token for the session, and when it expires (Unix seconds)."""
        claims = ResumeClaims(
            session_id=session_id,
            tenant=tenant,
            agent=agent,
            region=region,
            allowed_regions=tuple(allowed_regions),
            policy=policy,
            jurisdictions=tuple(jurisdictions),
            expires_at=int(self._clock.wall()) + lifetime_s,
            dedicated=True if dedicated else None,
            recording=tuple(recording) or None,
        )
        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = claims.model_dump_json(exclude_none=True).encode()
        sealed = nonce + self._cipher.encrypt(nonce, plain, _BINDING)
        return PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), claims.expires_at

    def verify(self, token: str) -> ResumeClaims:
        """The claims of a token of this region.

        Raises ``ResumeRefused`` with ``bad_token`` or ``token_expired``. The caller still compares
        the policy and asks whether its region is allowed.
        """
        claims = self._open(token)
        if claims.expires_at <= self._clock.wall():
            raise ResumeRefused("token_expired", "the session can no longer be resumed: call anew")
        return claims

    def _open(self, token: str) -> ResumeClaims:
        refused = ResumeRefused("bad_token", "not a resume token of this region: call anew")
        if not token.startswith(PREFIX) or len(token) > MAX_TOKEN or not token.isascii():
            raise refused
        body = token.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _BINDING)
            return ResumeClaims.model_validate_json(plain)
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise refused from error
