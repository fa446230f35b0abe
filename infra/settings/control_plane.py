"""What the stack file of the control plane says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from infra.settings.region import AccountId, Cidr, Domain, PolicyKeys, Release, Section, ZoneId
from regions.models import Id


class Replicas(Section):
    """The control plane in one region: each replica has a name of its own, ``a`` to ``d``."""

    region: Id
    vpc_cidr: Cidr
    instance_type: str = "t4g.small"
    replicas: int = Field(default=1, ge=1, le=4)


class ControlPlaneStack(Section):
    """Two regions or more. None of it holds personal data."""

    account_id: AccountId
    domain: Domain
    """Callers ask ``https://<domain>``; nodes beat to ``https://<letter>.<region>.<domain>``."""
    zone_id: ZoneId
    policy_keys: PolicyKeys = ()
    release: Release
    regions: tuple[Replicas, ...] = Field(min_length=2, max_length=8)
    node_secrets: dict[Id, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]] = Field(
        default_factory=dict
    )
    """Stack of a region to the SHA-256 of its nodes' secret; `inland regions supply` prints it."""
    alarm_email: (
        Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None
    ) = None
    monthly_budget_usd: int = Field(ge=1, le=10_000_000)
