"""May this caller talk here? Pure: a token and the time in, claims or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import jwt
from pydantic import ValidationError

from control_plane.contract import TOKEN_AUDIENCE, TOKEN_ISSUER, RouteClaims
from edge.internal import Admitted
from edge.problem import EdgeRefusal
from edge.session.errors import ResumeRefused
from edge.session.resume import ResumeTokens
from regions.models import Catalogue, DataClass, Operation, TenantPolicy
from regions.policy import allowed_set

MAX_TOKEN = 4096
"""Longest token that is looked at, characters."""
LEEWAY_SECONDS = 5
"""Clock difference between control plane and edge that is forgiven."""
CALL_CLASSES = (DataClass.AUDIO, DataClass.TRANSCRIPT, DataClass.VARIABLES)
"""What a call cannot do without: each must be allowed here."""
UNRESTRICTED = TenantPolicy()
"""The law alone; the tenant's contract is already inside the token's list."""


class VerificationKeys(Protocol):
    """The public keys of the control plane, as far as this node knows them."""

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None."""
        ...


def bearer(authorization: str | None) -> str:
    """The token of an ``Authorization: Bearer`` header (RFC 6750). Raises ``EdgeRefusal``."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise EdgeRefusal("bad_token", "send the token as 'Authorization: Bearer <token>'")
    if len(token) > MAX_TOKEN:
        raise EdgeRefusal("bad_token", f"a token has at most {MAX_TOKEN} characters")
    return token.strip()


def verify_route_token(
    token: str, *, keys: VerificationKeys, now: float, region: str, catalogue: Catalogue
) -> RouteClaims:
    """The claims of a route token that allows a call here and now.

    Nothing is asked of the control plane. The law is evaluated again with this node's own
    catalogue: a signed list cannot widen what the law allows. Raises ``EdgeRefusal`` with code
    ``bad_token``, ``token_expired``, ``wrong_policy`` or ``wrong_region``.
    """
    claims = _decode(token, keys, now)
    if claims.pol != catalogue.policy:
        raise EdgeRefusal(
            "wrong_policy",
            f"the token was made under policy {claims.pol}, this node runs {catalogue.policy}; "
            "deploy the same catalogue to both",
        )
    for data_class in CALL_CLASSES:
        listed = claims.reg.get(data_class.value, ())
        lawful = allowed_set(
            catalogue, claims.jur, UNRESTRICTED, data_class, Operation.PROCESS
        ).allowed
        if region not in listed or region not in lawful:
            raise EdgeRefusal(
                "wrong_region",
                f"region {region} may not process this caller's {data_class.value}; "
                f"allowed: {', '.join(r for r in listed if r in lawful) or 'none'}",
            )
    return claims


def verify_resume_token(
    token: str, *, tokens: ResumeTokens, region: str, catalogue: Catalogue
) -> Admitted:
    """The session that a resume token opens, if this region may still hold it.

    The law is asked again: a policy that was tightened since ends the session's right to this
    region. Raises ``EdgeRefusal`` (``bad_token``, ``token_expired``, ``wrong_region``).
    """
    try:
        claims = tokens.verify(token)
    except ResumeRefused as refused:
        raise EdgeRefusal(refused.code, refused.detail) from refused
    for data_class in CALL_CLASSES:
        lawful = allowed_set(
            catalogue, claims.jurisdictions, UNRESTRICTED, data_class, Operation.PROCESS
        ).allowed
        if region not in claims.allowed_regions or region not in lawful:
            raise EdgeRefusal(
                "wrong_region", f"region {region} may not hold this session's {data_class.value}"
            )
    return Admitted(
        session_id=claims.session_id,
        tenant=claims.tenant,
        agent=claims.agent,
        jurisdictions=claims.jurisdictions,
        policy=claims.policy,
        regions={name.value: claims.allowed_regions for name in CALL_CLASSES},
        resumed=True,
    )


def _decode(token: str, keys: VerificationKeys, now: float) -> RouteClaims:
    try:
        key_id = jwt.get_unverified_header(token).get("kid", "")
    except jwt.InvalidTokenError as error:
        raise EdgeRefusal("bad_token", "the token is not a route token") from error
    key = keys.get(key_id) if isinstance(key_id, str) else None
    if key is None:
        raise EdgeRefusal("bad_token", "the token is signed with a key this node does not know")
    try:
        payload: Mapping[str, object] = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=TOKEN_AUDIENCE,
            issuer=TOKEN_ISSUER,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        claims = RouteClaims.model_validate(payload, strict=False)
    except jwt.InvalidTokenError as error:
        raise EdgeRefusal("bad_token", "the token's signature or audience is wrong") from error
    except ValidationError as error:
        raise EdgeRefusal("bad_token", "the token lacks a claim or has one too many") from error
    if now > claims.exp + LEEWAY_SECONDS:
        raise EdgeRefusal("token_expired", "the token has expired; ask for a new route")
    if now < claims.nbf - LEEWAY_SECONDS:
        raise EdgeRefusal("bad_token", "the token is not valid yet; check the clocks")
    return claims
