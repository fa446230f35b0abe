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
from edge.law import LawInForce
from edge.problem import EdgeRefusal
from edge.session.errors import ResumeRefused
from edge.session.resume import ResumeTokens
from edge.tenancy import Tenancy
from regions.law import Law
from regions.models import DataClass, Operation
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
HELD: Mapping[DataClass, tuple[Operation, ...]] = {
    **NEEDS,
    DataClass.RECORDING: (Operation.PROCESS, Operation.STORE),
}
"""What a call may have. A recording may be allowed nowhere, and then there is none."""


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
    """What a route token and the law in force allow together.

    ``regions`` maps each class of a call's data to the ordered regions that may have it, ``policy``
    names the law that said so.
    """

    claims: RouteClaims
    regions: Mapping[DataClass, tuple[str, ...]]
    policy: str

    @property
    def allowed(self) -> tuple[str, ...]:
        """The regions that may take the call, in the token's order; maybe none."""
        return common_regions(self.regions)

    def admit(self, region: str) -> Admitted:
        """The caller, if ``region`` may take the call. Raises ``EdgeRefusal`` (wrong_region)."""
        claims = self.claims
        return Admitted(
            session_id=claims.sub,
            tenant=claims.ten,
            agent=claims.agent,
            jurisdictions=claims.jur,
            policy=self.policy,
            regions=_each_has(self.regions, region),
            resumed=False,
            dedicated=bool(claims.ded),
        )


def rule_route_token(
    token: str, *, keys: VerificationKeys, now: float, law: LawInForce, medium: Media
) -> RouteRuling:
    """Where the call of a route token for ``medium`` may be.

    Nothing is asked of the control plane. Raises ``EdgeRefusal`` with code ``bad_token``,
    ``token_expired`` or ``wrong_policy``.
    """
    claims = _decode(token, keys, now, medium)
    if not law.knows(claims.pol, claims.ser):
        raise EdgeRefusal(
            "wrong_policy",
            f"the token was made under policy {claims.pol}, this node runs {law.now.policy}; "
            "give the same catalogue or bundle to both",
        )
    listed = {data_class: claims.reg.get(data_class.value, ()) for data_class in HELD}
    lawful = lawful_regions(listed, claims.jur, law.now, tenant=claims.ten, on=day_of(now))
    return RouteRuling(claims, lawful, law.now.policy)


def verify_route_token(
    token: str,
    *,
    keys: VerificationKeys,
    now: float,
    region: str,
    law: LawInForce,
    tenancy: Tenancy,
    medium: Media = "webrtc",
) -> Admitted:
    """The caller of a route token for ``medium`` that allows a call here and now.

    Raises ``EdgeRefusal`` as :func:`rule_route_token`, and with code ``wrong_region`` or
    ``wrong_tenant``.
    """
    ruling = rule_route_token(token, keys=keys, now=now, law=law, medium=medium)
    tenancy.admit(ruling.claims.ten, dedicated=bool(ruling.claims.ded))
    return ruling.admit(region)


def verify_resume_token(
    token: str,
    *,
    tokens: ResumeTokens,
    now: float,
    region: str,
    law: LawInForce,
    tenancy: Tenancy,
) -> Admitted:
    """The session that a resume token opens, if this region may still hold it.

    A law or contract that was tightened since the token was made counts. Raises ``EdgeRefusal``
    (``bad_token``, ``token_expired``, ``wrong_region``, ``wrong_tenant``).
    """
    try:
        claims = tokens.verify(token)
    except ResumeRefused as refused:
        raise EdgeRefusal(refused.code, refused.detail) from refused
    tenancy.admit(claims.tenant, dedicated=bool(claims.dedicated))
    listed = dict.fromkeys(NEEDS, claims.allowed_regions)
    listed[DataClass.RECORDING] = claims.recording or ()
    lawful = lawful_regions(
        listed, claims.jurisdictions, law.now, tenant=claims.tenant, on=day_of(now)
    )
    return Admitted(
        session_id=claims.session_id,
        tenant=claims.tenant,
        agent=claims.agent,
        jurisdictions=claims.jurisdictions,
        policy=law.now.policy,
        regions=_each_has(lawful, region),
        resumed=True,
        dedicated=bool(claims.dedicated),
    )


def lawful_regions(
    listed: Mapping[DataClass, tuple[str, ...]],
    jurisdictions: tuple[str, ...],
    law: Law,
    *,
    tenant: str,
    on: date,
) -> dict[DataClass, tuple[str, ...]]:
    """The listed regions that the law of that day and the tenant's contract allow too, per class
    of ``HELD``, in the list's order. What is not listed is allowed nowhere.

    The law is evaluated again on this node: whatever a token lists, data is tagged for, sealed for
    and sent to lawful regions only.
    """
    contract = law.contract(tenant)
    lawful: dict[DataClass, tuple[str, ...]] = {}
    for data_class, operations in HELD.items():
        names = listed.get(data_class, ())
        allowed = set(names)
        for operation in operations:
            decision = allowed_set(
                law.catalogue, jurisdictions, contract, data_class, operation, on=on
            )
            allowed &= set(decision.allowed)
        lawful[data_class] = tuple(name for name in names if name in allowed)
    return lawful


def common_regions(regions: Mapping[DataClass, tuple[str, ...]]) -> tuple[str, ...]:
    """Regions that may have everything a call cannot do without, in order."""
    first, *others = (regions.get(data_class, ()) for data_class in NEEDS)
    return tuple(region for region in first if all(region in other for other in others))


def _each_has(
    regions: Mapping[DataClass, tuple[str, ...]], region: str
) -> dict[str, tuple[str, ...]]:
    """``regions``, when ``region`` is one of each class's. Raises ``EdgeRefusal``."""
    for data_class in NEEDS:
        kept = regions[data_class]
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
