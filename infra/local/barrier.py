"""The nftables rules that keep regions apart on one host: what is not named is refused.

Three barriers stand in each other's way: a node's own output, the region's router, the backbone.
They refuse and do not drop, so that a program that tries hears at once that it may not (RFC 1812,
5.2.7.1), and they count, so that `inland regions status` shows what was tried.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.local.plan import (
    CALLERS,
    CONTROL_PORT,
    EDGE_PORT,
    HOST_LINK,
    SIP_PORT,
    STORE_PORT,
    LocalNode,
    LocalPlan,
    LocalRegion,
)

TABLE = "inland"
REFUSED = "refused"
"""The counter of what nothing allowed."""
_CALLERS = f"{{ {CALLERS}, {HOST_LINK} }}"
_ANSWERS = ["ct state established,related counter accept", "ct state invalid counter drop"]
_LOCAL = 'oifname "lo" accept'


def rulesets(plan: LocalPlan) -> dict[str, str]:
    """Namespace to its ruleset, as `nft -f` reads it; a second reading replaces the first."""
    found = {plan.backbone: _backbone(plan)}
    for region in plan.regions:
        found[region.router] = _region(plan, region)
        found[region.store.namespace] = _store(region)
        for node in region.nodes:
            found[node.link.namespace] = _node(plan, region, node)
    return found


def _backbone(plan: LocalPlan) -> str:
    """Callers to nodes, nodes to the control plane, answers: nothing between regions."""
    rules = [*_ANSWERS]
    for region in plan.regions:
        rules += _ways(plan, region)
    for replica in plan.replicas:
        match = f"ip saddr {_CALLERS} ip daddr {replica.address} tcp dport {CONTROL_PORT}"
        rules.append(_accept(match, "callers to the control plane"))
    return _table(_chain("forward", rules))


def _region(plan: LocalPlan, region: LocalRegion) -> str:
    """The same ways for one region, and its nodes to its own store."""
    nodes, store = region.subnet, region.store_address
    to_store = _accept(f"ip saddr {nodes} ip daddr {store} tcp dport {STORE_PORT}", "to the store")
    # The router itself begins nothing: it has no program.
    return _table(
        _chain("forward", [*_ANSWERS, *_ways(plan, region), to_store]),
        _chain("output", [_LOCAL, "icmp type destination-unreachable accept"]),
    )


def _ways(plan: LocalPlan, region: LocalRegion) -> Iterator[str]:
    for node in region.nodes:
        first, last = node.edge.media_ports
        inward = f"ip saddr {_CALLERS} ip daddr {node.address}"
        outward = f"ip saddr {node.address} ip daddr"
        udp = f"{{ {SIP_PORT}, {first}-{last} }}"
        tcp = f"{{ {EDGE_PORT}, {SIP_PORT} }}"
        yield _accept(f"{inward} tcp dport {tcp}", f"callers to {node.name}")
        yield _accept(f"{inward} udp dport {udp}", f"callers' media to {node.name}")
        yield _accept(f"{outward} {_CALLERS} udp sport {udp}", f"media of {node.name}")
        for replica in plan.replicas:
            match = f"{outward} {replica.address} tcp dport {CONTROL_PORT}"
            yield _accept(match, f"{node.name} to the control plane")


def _node(plan: LocalPlan, region: LocalRegion, node: LocalNode) -> str:
    """A node's own way out: its callers, its store, the control plane."""
    first, last = node.edge.media_ports
    out = [_LOCAL, *_ANSWERS]
    out.append(_accept(f"ip daddr {region.store_address} tcp dport {STORE_PORT}", "to the store"))
    out += [
        _accept(f"ip daddr {replica.address} tcp dport {CONTROL_PORT}", "to the control plane")
        for replica in plan.replicas
    ]
    udp = f"{{ {SIP_PORT}, {first}-{last} }}"
    out.append(_accept(f"ip daddr {_CALLERS} udp sport {udp}", "media"))
    return _table(_chain("output", out))


def _store(region: LocalRegion) -> str:
    """A store hears its region's nodes only, and begins nothing."""
    inward = ['iifname "lo" accept', *_ANSWERS]
    inward.append(_accept(f"ip saddr {region.subnet} tcp dport {STORE_PORT}", "its nodes"))
    return _table(_chain("input", inward), _chain("output", [_LOCAL, *_ANSWERS]))


def _accept(match: str, what: str) -> str:
    return f'{match} counter accept comment "{what}"'


def _chain(hook: str, rules: list[str]) -> str:
    refuse = f"counter name {REFUSED} reject with icmpx admin-prohibited"
    lines = [f"type filter hook {hook} priority filter; policy drop;", *rules, refuse]
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {hook} {{\n{body}  }}\n"


def _table(*chains: str) -> str:
    # The table is made before it is flushed, so that a second run replaces it in one step.
    name = f"table inet {TABLE}"
    counter = f"  counter {REFUSED} {{}}\n"
    return f"{name} {{}}\nflush {name}\n{name} {{\n{counter}{''.join(chains)}}}\n"
