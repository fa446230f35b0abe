"""The iproute2 commands that make a plan's namespaces and links, and take them away."""

from __future__ import annotations

from infra.local.plan import HOST_LINK, Link, LocalPlan

Command = tuple[str, ...]


def build_commands(plan: LocalPlan) -> list[Command]:
    """In order. Forwarding is switched on last, when ``barrier.rulesets`` should be in place."""
    commands: list[Command] = [("ip", "netns", "add", name) for name in plan.namespaces]
    # Without IPv6, which no rule speaks of: what a barrier counts was tried by a program.
    quiet = ("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    commands += [inside(name, *quiet) for name in plan.namespaces]
    commands += [inside(name, "ip", "link", "set", "lo", "up") for name in plan.namespaces]
    for link in plan.links:
        commands += _link(link)
    return commands + _host_link(plan)


def forward_commands(plan: LocalPlan) -> list[Command]:
    """Switch the routers on; to be run once the barriers stand."""
    routers = (plan.backbone, *(region.router for region in plan.regions))
    return [inside(name, "sysctl", "-qw", "net.ipv4.ip_forward=1") for name in routers]


def remove_commands(plan: LocalPlan) -> list[Command]:
    """The host's routes go with its link, the others with their namespaces."""
    commands: list[Command] = [("ip", "link", "del", plan.host_interface)]
    commands += [("ip", "netns", "del", name) for name in reversed(plan.namespaces)]
    return commands + [("ip", "route", "del", "unreachable", str(net)) for net in plan.whole]


def inside(namespace: str, *command: str) -> Command:
    """``command`` as it runs in a namespace."""
    return ("ip", "netns", "exec", namespace, *command)


def _link(link: Link) -> list[Command]:
    gateway = link.gateway_namespace
    add = ("ip", "link", "add", link.gateway_name, "netns", gateway, "type", "veth")
    commands: list[Command] = [
        (*add, "peer", "name", "up0", "netns", link.namespace),
        inside(gateway, "ip", "address", "add", str(link.gateway), "dev", link.gateway_name),
        inside(gateway, "ip", "link", "set", link.gateway_name, "up"),
        inside(link.namespace, "ip", "address", "add", str(link.address), "dev", "up0"),
        inside(link.namespace, "ip", "link", "set", "up0", "up"),
        inside(link.namespace, *_route(str(link.reaches), str(link.gateway.ip))),
    ]
    machine = str(link.address.ip)
    return commands + [inside(gateway, *_route(str(net), machine)) for net in link.behind]


def _host_link(plan: LocalPlan) -> list[Command]:
    router, host = (f"{HOST_LINK[position]}/{HOST_LINK.prefixlen}" for position in (1, 2))
    name = plan.host_interface
    peer = ("peer", "name", "host0", "netns", plan.backbone)
    return [
        (*("ip", "link", "add", name, "type", "veth"), *peer),
        ("ip", "address", "add", host, "dev", name),
        ("ip", "link", "set", name, "up"),
        inside(plan.backbone, "ip", "address", "add", router, "dev", "host0"),
        inside(plan.backbone, "ip", "link", "set", "host0", "up"),
        *(("ip", "route", "add", "unreachable", str(network)) for network in plan.whole),
        *(_route(str(network), str(HOST_LINK[1])) for network in plan.networks),
    ]


def _route(network: str, via: str) -> Command:
    return ("ip", "route", "add", network, "via", via)
