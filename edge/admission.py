"""May this caller talk here? Pure: a token and the time in, claims or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import jwt
from pydantic import ValidationError

from control_plane.contract import (
    TOKEN_AUDIENCE,
    TOKEN_ISSUER,
    TOKEN_SECONDS,
    Media,
    RouteClaims,
)
from edge.internal import Admitted
from edge.problem import EdgeRefusal
from edge.session.errors import ResumeRefused
from edge.session.resume import ResumeTokens
from edge.tenancy import Tenancy
from regions.models import Catalogue, DataClass, Operation, TenantPolicy
from regions.policy import allowed_set, day_of

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
"""The law alone, without adequacy; the tenant's sectors and contract are already inside the
token's list."""


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


@dataclass(frozen=True, slots=True)
class RouteRuling:
    """What a route token and this node's own law allow together.

    ``regions`` maps each class of a call's data to the ordered regions that may have it.
    """

    claims: RouteClaims
    regions: Mapping[DataClass, tuple[str, ...]]

    @property
    def allowed(self) -> tuple[str, ...]:
        """The regions that may take the call, in the token's order; maybe none."""
        first, *others = self.regions.values()
        return tuple(region for region in first if all(region in other for other in others))

    def admit(self, region: str) -> Admitted:
        """The caller, if ``region`` may take the call. Raises ``EdgeRefusal`` (wrong_region)."""
        claims = self.claims
        return Admitted(
            session_id=claims.sub,
            tenant=claims.ten,
            agent=claims.agent,
            jurisdictions=claims.jur,
            policy=claims.pol,
            regions=_each_has(self.regions, region),
            resumed=False,
            dedicated=bool(claims.ded),
        )


def rule_route_token(
    token: str, *, keys: VerificationKeys, now: float, catalogue: Catalogue, medium: Media
) -> RouteRuling:
    """Where the call of a route token for ``medium`` may be.

    Nothing is asked of the control plane. Raises ``EdgeRefusal`` with code ``bad_token``,
    ``token_expired`` or ``wrong_policy``.
    """
    claims = _decode(token, keys, now, medium)
    if claims.pol != catalogue.policy:
        raise EdgeRefusal(
            "wrong_policy",
            f"the token was made under policy {claims.pol}, this node runs {catalogue.policy}; "
            "deploy the same catalogue to both",
        )
    listed = {data_class: claims.reg.get(data_class.value, ()) for data_class in NEEDS}
    return RouteRuling(claims, lawful_regions(listed, claims.jur, catalogue, on=day_of(now)))


def verify_route_token(
    token: str,
    *,
    keys: VerificationKeys,
    now: float,
    region: str,
    catalogue: Catalogue,
    tenancy: Tenancy,
    medium: Media = "webrtc",
) -> Admitted:
    """The caller of a route token for ``medium`` that allows a call here and now.

    Raises ``EdgeRefusal`` as :func:`rule_route_token`, and with code ``wrong_region`` or
    ``wrong_tenant``.
    """
    ruling = rule_route_token(token, keys=keys, now=now, catalogue=catalogue, medium=medium)
    tenancy.admit(ruling.claims.ten, dedicated=bool(ruling.claims.ded))
    return ruling.admit(region)


def verify_resume_token(
    token: str,
    *,
    tokens: ResumeTokens,
    now: float,
    region: str,
    catalogue: Catalogue,
    tenancy: Tenancy,
) -> Admitted:
    """The session that a resume token opens, if this region may still hold it.

    A policy that was tightened since the token was made counts. Raises ``EdgeRefusal``
    (``bad_token``, ``token_expired``, ``wrong_region``, ``wrong_tenant``).
    """
    try:
        claims = tokens.verify(token)
    except ResumeRefused as refused:
        raise EdgeRefusal(refused.code, refused.detail) from refused
    tenancy.admit(claims.tenant, dedicated=bool(claims.dedicated))
    listed = dict.fromkeys(NEEDS, claims.allowed_regions)
    lawful = lawful_regions(listed, claims.jurisdictions, catalogue, on=day_of(now))
    return Admitted(
        session_id=claims.session_id,
        tenant=claims.tenant,
        agent=claims.agent,
        jurisdictions=claims.jurisdictions,
        policy=claims.policy,
        regions=_each_has(lawful, region),
        resumed=True,
        dedicated=bool(claims.dedicated),
    )


def lawful_regions(
    listed: Mapping[DataClass, tuple[str, ...]],
    jurisdictions: tuple[str, ...],
    catalogue: Catalogue,
    *,
    on: date,
) -> dict[DataClass, tuple[str, ...]]:
    """The listed regions that the law of that day allows too, per data class, in the list's order.

    The law is evaluated again with this node's own catalogue: whatever a token lists, data is
    tagged for, sealed for and sent to lawful regions only.
    """
    lawful: dict[DataClass, tuple[str, ...]] = {}
    for data_class, operations in NEEDS.items():
        allowed = set(listed[data_class])
        for operation in operations:
            decision = allowed_set(
                catalogue, jurisdictions, UNRESTRICTED, data_class, operation, on=on
            )
            allowed &= set(decision.allowed)
        lawful[data_class] = tuple(name for name in listed[data_class] if name in allowed)
    return lawful


def _each_has(
    regions: Mapping[DataClass, tuple[str, ...]], region: str
) -> dict[str, tuple[str, ...]]:
    """``regions``, when ``region`` is one of each class's. Raises ``EdgeRefusal``."""
    for data_class, kept in regions.items():
        if region not in kept:
            raise EdgeRefusal(
                "wrong_region",
                f"region {region} may not hold this caller's {data_class.value}; "
                f"allowed: {', '.join(kept) or 'none'}",
            )
    return {data_class.value: kept for data_class, kept in regions.items()}


def _decode(token: str, keys: VerificationKeys, now: float, medium: Media) -> RouteClaims:
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
    if claims.med != medium or claims.exp - claims.iat > TOKEN_SECONDS:
        raise EdgeRefusal("bad_token", "the token is for another medium, or lives too long")
    if now > claims.exp + LEEWAY_SECONDS:
        raise EdgeRefusal("token_expired", "the token has expired; ask for a new route")
    if now < claims.nbf - LEEWAY_SECONDS:
        raise EdgeRefusal("bad_token", "the token is not valid yet; check the clocks")
    return claims
