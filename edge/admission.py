"""May this caller talk here? Pure: a token and the time in, claims or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import jwt
from pydantic import ValidationError

from control_plane.contract import TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_SECONDS, RouteClaims
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
NEEDS: Mapping[DataClass, tuple[Operation, ...]] = {
    DataClass.AUDIO: (Operation.PROCESS,),
    DataClass.TRANSCRIPT: (Operation.PROCESS, Operation.STORE),
    DataClass.VARIABLES: (Operation.PROCESS, Operation.STORE),
}
"""What a call cannot do without: each class, with what the node does with it."""
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
) -> Admitted:
    """The caller of a route token that allows a call here and now.

    Nothing is asked of the control plane. Raises ``EdgeRefusal`` with code ``bad_token``,
    ``token_expired``, ``wrong_policy`` or ``wrong_region``.
    """
    claims = _decode(token, keys, now)
    if claims.pol != catalogue.policy:
        raise EdgeRefusal(
            "wrong_policy",
            f"the token was made under policy {claims.pol}, this node runs {catalogue.policy}; "
            "deploy the same catalogue to both",
        )
    listed = {data_class: claims.reg.get(data_class.value, ()) for data_class in NEEDS}
    return Admitted(
        session_id=claims.sub,
        tenant=claims.ten,
        agent=claims.agent,
        jurisdictions=claims.jur,
        policy=claims.pol,
        regions=_regions_here(listed, claims.jur, region, catalogue),
        resumed=False,
    )


def verify_resume_token(
    token: str, *, tokens: ResumeTokens, region: str, catalogue: Catalogue
) -> Admitted:
    """The session that a resume token opens, if this region may still hold it.

    A policy that was tightened since the token was made counts. Raises ``EdgeRefusal``
    (``bad_token``, ``token_expired``, ``wrong_region``).
    """
    try:
        claims = tokens.verify(token)
    except ResumeRefused as refused:
        raise EdgeRefusal(refused.code, refused.detail) from refused
    listed = dict.fromkeys(NEEDS, claims.allowed_regions)
    return Admitted(
        session_id=claims.session_id,
        tenant=claims.tenant,
        agent=claims.agent,
        jurisdictions=claims.jurisdictions,
        policy=claims.policy,
        regions=_regions_here(listed, claims.jurisdictions, region, catalogue),
        resumed=True,
    )


def _regions_here(
    listed: Mapping[DataClass, tuple[str, ...]],
    jurisdictions: tuple[str, ...],
    region: str,
    catalogue: Catalogue,
) -> dict[str, tuple[str, ...]]:
    """The listed regions that the law allows too, per data class; ``region`` is one of each.

    The law is evaluated again with this node's own catalogue: whatever a token lists, data is
    tagged for, sealed for and sent to lawful regions only. Raises ``EdgeRefusal``
    (``wrong_region``).
    """
    lawful: dict[str, tuple[str, ...]] = {}
    for data_class, operations in NEEDS.items():
        allowed = set(listed[data_class])
        for operation in operations:
            allowed &= set(
                allowed_set(catalogue, jurisdictions, UNRESTRICTED, data_class, operation).allowed
            )
        kept = tuple(name for name in listed[data_class] if name in allowed)
        if region not in kept:
            raise EdgeRefusal(
                "wrong_region",
                f"region {region} may not hold this caller's {data_class.value}; "
                f"allowed: {', '.join(kept) or 'none'}",
            )
        lawful[data_class.value] = kept
    return lawful


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
    if claims.med != "webrtc" or claims.exp - claims.iat > TOKEN_SECONDS:
        raise EdgeRefusal("bad_token", "the token is for another medium, or lives too long")
    if now > claims.exp + LEEWAY_SECONDS:
        raise EdgeRefusal("token_expired", "the token has expired; ask for a new route")
    if now < claims.nbf - LEEWAY_SECONDS:
        raise EdgeRefusal("bad_token", "the token is not valid yet; check the clocks")
    return claims
