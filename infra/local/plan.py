"""Which namespaces, links and addresses stand for a set of stacks on one Linux host.

Each region is a network namespace with the first /20 of its VPC; its store is a second namespace in
another subnet, which only the region's node can reach and which has no route out, as the data
subnets of the cloud have none. The regions, the control plane's replicas and the callers meet in a
router namespace, whose forwarding rules are the barrier. Pure: nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.region import RegionStack

SUBNET_PREFIX = 20
"""As the cloud's network has them."""
STORE_SUBNET = 8
"""Which of the VPC's subnets the store is in; the nodes are in the first."""
GATEWAY, HOST = 1, 10
"""Positions in a subnet: the router's side of the link, the machine's."""
CALLERS = IPv4Network("198.18.0.0/24")
"""Where callers are: a range for tests that is never routed (RFC 2544, appendix C.2.2)."""
HOST_LINK = IPv4Network("198.18.1.0/30")
"""Between the router and the host, whose browser is a caller too."""
EDGE_PORT = 7100
CONTROL_PORT = 7000
STORE_PORT = 6379
HEALTH_PORT = 8080
SIP_PORT = 5060


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair: a machine's end and the end in the namespace that it hangs on."""

    namespace: str
    address: IPv4Interface
    gateway_namespace: str
    gateway_name: str
    """Name of the interface at the gateway's end, at most 15 characters."""
    gateway: IPv4Interface
    routed: bool
    """Whether the machine has a default route over it."""


@dataclass(frozen=True, slots=True)
class LocalRegion:
    """A region: a node and its store."""

    stack: str
    region: str
    settings: RegionStack
    node: Link
    store: Link

    @property
    def address(self) -> IPv4Address:
        """Of the node."""
        return self.node.address.ip

    @property
    def store_address(self) -> IPv4Address:
        return self.store.address.ip


@dataclass(frozen=True, slots=True)
class LocalReplica:
    """A replica of the control plane."""

    region: str
    letter: str
    machine: Link

    @property
    def address(self) -> IPv4Address:
        return self.machine.address.ip

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
    def router(self) -> str:
        return f"{self.prefix}-router"

    @property
    def host_interface(self) -> str:
        """The host's end of its link to the router."""
        return f"{self.prefix}-host"[:15]

    @property
    def links(self) -> tuple[Link, ...]:
        """In the order they are made: a gateway's namespace before what hangs on it."""
        nodes = [region.node for region in self.regions]
        stores = [region.store for region in self.regions]
        return (self.callers, *(replica.machine for replica in self.replicas), *nodes, *stores)

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.router, *(link.namespace for link in self.links))

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """What the host reaches over the router: never a store."""
        machines = [link for link in self.links if link.gateway_namespace == self.router]
        return tuple(link.address.network for link in machines)


def plan_host(
    regions: Mapping[str, RegionStack],
    control_plane: ControlPlaneStack,
    *,
    prefix: str = "inland",
) -> LocalPlan:
    """The plan for stacks (name to settings) and their control plane."""
    router = f"{prefix}-router"
    numbers = iter(range(1_000))
    callers = Link(
        f"{prefix}-callers",
        _at(CALLERS, HOST),
        router,
        f"to{next(numbers)}",
        _at(CALLERS, GATEWAY),
        routed=True,
    )
    replicas = []
    for place in control_plane.regions:
        subnet = _subnet(place.vpc_cidr, 0)
        for index in range(place.replicas):
            letter = "abcd"[index]
            network = list(subnet.subnets(new_prefix=24))[index]
            machine = Link(
                f"{prefix}-control-{place.region}-{letter}",
                _at(network, HOST),
                router,
                f"to{next(numbers)}",
                _at(network, GATEWAY),
                routed=True,
            )
            replicas.append(LocalReplica(place.region, letter, machine))
    found = []
    for stack, settings in sorted(regions.items()):
        node_net = _subnet(settings.vpc_cidr, 0)
        store_net = _subnet(settings.vpc_cidr, STORE_SUBNET)
        namespace = f"{prefix}-{stack}"
        node = Link(
            namespace,
            _at(node_net, HOST),
            router,
            f"to{next(numbers)}",
            _at(node_net, GATEWAY),
            True,
        )
        store = Link(
            f"{namespace}-store",
            _at(store_net, HOST),
            namespace,
            "store0",
            _at(store_net, GATEWAY),
            routed=False,
        )
        found.append(LocalRegion(stack, stack.split(".")[0], settings, node, store))
    return LocalPlan(prefix, tuple(found), tuple(replicas), callers)


def _subnet(cidr: str, index: int) -> IPv4Network:
    network = IPv4Network(cidr)
    prefix = max(SUBNET_PREFIX, network.prefixlen + 4)
    return list(network.subnets(new_prefix=prefix))[index]


def _at(network: IPv4Network, position: int) -> IPv4Interface:
    return IPv4Interface(f"{network[position]}/{network.prefixlen}")


Commands = Sequence[tuple[str, ...]]


def build_commands(plan: LocalPlan) -> list[tuple[str, ...]]:
    """What makes the namespaces and links, in order (iproute2)."""
    commands: list[tuple[str, ...]] = [("ip", "netns", "add", name) for name in plan.namespaces]
    for name in plan.namespaces:
        commands.append(_inside(name, "ip", "link", "set", "lo", "up"))
    for link in plan.links:
        commands += _link(link)
    commands.append(_inside(plan.router, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
    commands += _host_link(plan)
    return commands


def remove_commands(plan: LocalPlan) -> list[tuple[str, ...]]:
    """What takes it all away; links go with their namespaces."""
    return [("ip", "netns", "del", name) for name in reversed(plan.namespaces)]


def _link(link: Link) -> list[tuple[str, ...]]:
    gateway = link.gateway_namespace
    add = ("ip", "link", "add", link.gateway_name, "netns", gateway, "type", "veth")
    commands = [
        (*add, "peer", "name", "up0", "netns", link.namespace),
        _inside(gateway, "ip", "address", "add", str(link.gateway), "dev", link.gateway_name),
        _inside(gateway, "ip", "link", "set", link.gateway_name, "up"),
        _inside(link.namespace, "ip", "address", "add", str(link.address), "dev", "up0"),
        _inside(link.namespace, "ip", "link", "set", "up0", "up"),
    ]
    if link.routed:
        via = str(link.gateway.ip)
        commands.append(_inside(link.namespace, "ip", "route", "add", "default", "via", via))
    return commands


def _host_link(plan: LocalPlan) -> list[tuple[str, ...]]:
    router_end, host_end = _at(HOST_LINK, 1), _at(HOST_LINK, 2)
    name = plan.host_interface
    commands: list[tuple[str, ...]] = [
        ("ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", plan.router),
        ("ip", "address", "add", str(host_end), "dev", name),
        ("ip", "link", "set", name, "up"),
        _inside(plan.router, "ip", "address", "add", str(router_end), "dev", "host0"),
        _inside(plan.router, "ip", "link", "set", "host0", "up"),
    ]
    commands += [
        ("ip", "route", "add", str(network), "via", str(router_end.ip)) for network in plan.networks
    ]
    return commands


def _inside(namespace: str, *command: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", namespace, *command)
