"""Which namespaces, links and addresses stand for a set of stacks on one Linux host.

Each region is a small network of its own, as its VPC is in the cloud: a router with one uplink,
the nodes behind it in the first /20 of the VPC, and the store in another subnet that has no route
out and that nothing outside has a route to. The regions, the replicas of the control plane and the
callers meet in a backbone, whose forwarding rules are a second barrier. Pure: runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.region import Edge, RegionStack

NODES_SUBNET, STORE_SUBNET = 0, 8
"""Which sixteenths of the VPC the nodes and the store are in."""
GATEWAY, MACHINE = 1, 10
"""Positions in a subnet: the router's side of the link, the machine's."""
CALLERS = IPv4Network("198.18.0.0/24")
"""Where callers are: a range for tests that nobody routes (RFC 2544, appendix C.2.2)."""
HOST_LINK = IPv4Network("198.18.1.0/30")
"""Between the backbone and the host, whose browser is a caller too."""
UPLINKS = IPv4Network("100.64.0.0/16")
"""Between the backbone and each region's router: shared address space (RFC 6598)."""
ANYWHERE = IPv4Network("0.0.0.0/0")
EDGE_PORT = 7100
CONTROL_PORT = 7000
STORE_PORT = 6379
SIP_PORT = 5060


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair: a machine's end, called ``up0``, and the end in the gateway's namespace."""

    namespace: str
    address: IPv4Interface
    gateway_namespace: str
    gateway_name: str
    """Of the interface at the gateway's end, at most 15 characters."""
    gateway: IPv4Interface
    behind: tuple[IPv4Network, ...] = ()
    """Networks that the gateway reaches through the machine."""
    reaches: IPv4Network = ANYWHERE
    """What the machine reaches through the gateway."""


@dataclass(frozen=True, slots=True)
class LocalNode:
    """A node: the shared one, or that of a tenant with a fleet of its own."""

    name: str
    tenant: str | None
    edge: Edge
    link: Link

    @property
    def address(self) -> IPv4Address:
        return self.link.address.ip


@dataclass(frozen=True, slots=True)
class LocalRegion:
    """A region: its router, its nodes and its store."""

    stack: str
    region: str
    settings: RegionStack
    uplink: Link
    nodes: tuple[LocalNode, ...]
    store: Link
    subnet: IPv4Network
    """Where its nodes are."""

    @property
    def router(self) -> str:
        """The namespace through which everything of the region goes."""
        return self.uplink.namespace

    @property
    def store_address(self) -> IPv4Address:
        return self.store.address.ip


@dataclass(frozen=True, slots=True)
class LocalReplica:
    """A replica of the control plane."""

    region: str
    letter: str
    link: Link

    @property
    def address(self) -> IPv4Address:
        return self.link.address.ip

    @property
    def url(self) -> str:
        return f"http://{self.address}:{CONTROL_PORT}"


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """Everything on the host. ``prefix`` begins the name of every namespace."""

    prefix: str
    regions: tuple[LocalRegion, ...]
    replicas: tuple[LocalReplica, ...]
    callers: Link

    @property
    def backbone(self) -> str:
        return backbone_of(self.prefix)

    @property
    def host_interface(self) -> str:
        """The host's end of its link to the backbone."""
        return f"{self.prefix}-host"[:15]

    @property
    def links(self) -> tuple[Link, ...]:
        """In the order they are made: a gateway's own link before those that hang on it."""
        regional = [
            link
            for region in self.regions
            for link in (region.uplink, *(node.link for node in region.nodes), region.store)
        ]
        return (self.callers, *(replica.link for replica in self.replicas), *regional)

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.backbone, *(link.namespace for link in self.links))

    @property
    def whole(self) -> tuple[IPv4Network, ...]:
        """The VPCs: the host must send nothing for them into its own default route."""
        cidrs = {region.settings.vpc_cidr for region in self.regions}
        return tuple(sorted(IPv4Network(cidr) for cidr in cidrs))

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """What the host may reach over the backbone: never a store."""
        return (
            CALLERS,
            *(replica.link.address.network for replica in self.replicas),
            *(region.subnet for region in self.regions),
        )


@dataclass(slots=True)
class _Numbers:
    """Hands out the names of a gateway's interfaces."""

    used: dict[str, int] = field(default_factory=dict)

    def link(
        self,
        namespace: str,
        network: IPv4Network,
        gateway_namespace: str,
        *,
        machine: int = MACHINE,
        **more: tuple[IPv4Network, ...] | IPv4Network,
    ) -> Link:
        number = self.used.get(gateway_namespace, 0)
        self.used[gateway_namespace] = number + 1
        return Link(
            namespace,
            _at(network, machine),
            gateway_namespace,
            f"to{number}",
            _at(network, GATEWAY),
            **more,  # type: ignore[arg-type]  # behind and reaches, by name
        )


def plan_host(
    regions: Mapping[str, RegionStack], control_plane: ControlPlaneStack, *, prefix: str = "inland"
) -> LocalPlan:
    """The plan for stacks (name to settings) and the control plane that places their callers."""
    numbers = _Numbers()
    backbone = backbone_of(prefix)
    callers = numbers.link(f"{prefix}-callers", CALLERS, backbone)
    replicas = []
    for place in control_plane.regions:
        networks = list(_sixteenth(place.vpc_cidr, NODES_SUBNET).subnets(new_prefix=24))
        for letter, network in zip("abcd"[: place.replicas], networks, strict=False):
            namespace = f"{prefix}-control-{place.region}-{letter}"
            link = numbers.link(namespace, network, backbone)
            replicas.append(LocalReplica(place.region, letter, link))
    found = tuple(
        _region(numbers, prefix, stack, settings, index)
        for index, (stack, settings) in enumerate(sorted(regions.items()))
    )
    return LocalPlan(prefix, found, tuple(replicas), callers)


def _region(
    numbers: _Numbers, prefix: str, stack: str, settings: RegionStack, index: int
) -> LocalRegion:
    router = f"{prefix}-{stack}"
    subnet = _sixteenth(settings.vpc_cidr, NODES_SUBNET)
    uplink_net = list(UPLINKS.subnets(new_prefix=30))[index]
    uplink = numbers.link(router, uplink_net, backbone_of(prefix), machine=2, behind=(subnet,))
    fleets: list[tuple[str | None, Edge]] = [(None, settings.edge)]
    fleets += [(tenant.id, tenant.edge) for tenant in settings.tenants if tenant.edge is not None]
    nodes = []
    for (tenant, edge), network in zip(fleets, subnet.subnets(new_prefix=24), strict=False):
        name = stack if tenant is None else f"{stack}-{tenant}"
        namespace = f"{prefix}-{name}-node"
        nodes.append(LocalNode(name, tenant, edge, numbers.link(namespace, network, router)))
    store = numbers.link(
        f"{router}-store", _sixteenth(settings.vpc_cidr, STORE_SUBNET), router, reaches=subnet
    )
    region = stack.split(".")[0]
    return LocalRegion(stack, region, settings, uplink, tuple(nodes), store, subnet)


def backbone_of(prefix: str) -> str:
    """The namespace where everything meets."""
    return f"{prefix}-backbone"


def _sixteenth(cidr: str, index: int) -> IPv4Network:
    return list(IPv4Network(cidr).subnets(prefixlen_diff=4))[index]


def _at(network: IPv4Network, position: int) -> IPv4Interface:
    return IPv4Interface(f"{network[position]}/{network.prefixlen}")
