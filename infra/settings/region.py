"""What the stack file of one region says. Keys are camelCase, as Pulumi's users write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from regions.models import Id, Strict
from regions.policy_keys import PolicyKeyText

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Cidr = Annotated[str, StringConstraints(pattern=r"^[0-9.]{7,15}/[0-9]{1,2}$")]
Domain = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", max_length=62
    ),
]
"""With ``*.`` before it, it is the first name of a certificate, and that has 64 characters at most
(AWS Certificate Manager API reference, "RequestCertificate", 2026-11-21)."""
ZoneId = Annotated[str, StringConstraints(pattern=r"^Z[A-Z0-9]{5,31}$")]
"""A hosted zone of Route 53."""
MOST_CARRIERS = 28
"""Each takes two rules of a node's security group, for UDP and TCP; four are for others, and a
group has 60 (Amazon VPC User Guide, "Amazon VPC quotas", 2026-11-21)."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?$")]
PolicyKeys = Annotated[tuple[PolicyKeyText, ...], Field(max_length=8)]
"""Public keys of who may sign policy bundles (docs/policy.md); the same in every stack."""
Isolation = Literal["pooled", "dedicated-fleet", "dedicated-account"]
"""How far a tenant is kept apart from the others of its region.

``pooled``: shared nodes; a key, a store user and prefixes of its own. ``dedicated-fleet``: also
nodes of its own on hardware that no other customer uses. ``dedicated-account``: a stack, and so an
account, of its own; the stack is called ``REGION.TENANT``.
"""


class Section(Strict):
    """A part of a stack file."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Range(Section):
    """Least and most nodes of a fleet."""

    min: int = Field(ge=1, le=100)
    max: int = Field(ge=1, le=500)
    warm: int = Field(default=0, ge=0, le=50)
    """Stopped nodes that are installed already and come up in seconds."""


class Release(Section):
    """The software that nodes install, and what is served on them: both by digest."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$")]
    sha256: Sha256
    """Of the bundle that ``inland release build`` makes."""
    site: Sha256
    """Of the bundle that ``inland release site`` makes: agents, telephone settings, tenants."""


class Edge(Section):
    """The nodes that take calls."""

    instance_type: str
    nodes: Range
    calls_per_node: int = Field(ge=1, le=5_000)
    """What a node takes at most; the fleet grows before it is reached."""
    media_ports: tuple[int, int] = (20_000, 29_999)
    image_id: Annotated[str, StringConstraints(pattern=r"^ami-[0-9a-f]{8,17}$")] | None = None
    """An image of the region; by default the newest Debian 12 when a node starts.

    Nothing here can tell whether it is made for the processor of ``instance_type`` (Graviton is
    ``arm64``, the others are ``amd64``) or is in the region at all: only AWS knows, at launch.
    """


class Tenant(Section):
    """A tenant whose calls this region serves."""

    id: Id
    isolation: Isolation = "pooled"
    edge: Edge | None = None
    """Its own fleet, for ``dedicated-fleet``."""


class Store(Section):
    """The Valkey that holds the sealed sessions."""

    node_type: str = "cache.r7g.large"
    replicas: int = Field(default=1, ge=1, le=5)
    """Copies in other zones of the region, besides the primary."""


class Sip(Section):
    """Telephone calls: from which networks they come. TLS (5061) is open to the world."""

    carriers: tuple[Cidr, ...] = Field(min_length=1, max_length=MOST_CARRIERS)


class Turn(Section):
    """Relays for callers whose network lets no UDP through."""

    instance_type: str
    nodes: Range


class Retention(Section):
    """Days until data is gone."""

    logs_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365] = 30
    recordings_days: int = Field(default=30, ge=1, le=3_650)
    audit_days: Literal[30, 60, 90, 120, 150, 180, 365] = 365
    """Of nodes' audit logs, which hold ids of sessions, tenants and agents, and no content."""


class RegionStack(Section):
    """One region, or one tenant's own account in it."""

    region: Id | None = None
    """Says the stack's region once more, so that a copied file is not taken for its original.

    The checks of a project want it; code that makes a stack by hand may leave it out.
    """
    jurisdiction: Id
    account_id: AccountId
    vpc_cidr: Cidr
    domain: Domain
    """Nodes are called ``<node>.<domain>``; telephone calls come to ``sip.<domain>``."""
    zone_id: ZoneId
    control_planes: tuple[HttpsUrl, ...] = Field(min_length=1, max_length=8)
    policy_keys: PolicyKeys = ()
    release: Release
    edge: Edge
    tenants: tuple[Tenant, ...] = Field(min_length=1, max_length=50)
    store: Store = Store()
    sip: Sip | None = None
    turn: Turn | None = None
    retention: Retention = Retention()
    alarm_email: (
        Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None
    ) = None
    monthly_budget_usd: int = Field(ge=1, le=10_000_000)
