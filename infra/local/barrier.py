"""The nftables rules that keep regions apart on one host: what is not named is refused.

Refused, not dropped: a program that tries hears at once that it may not (RFC 1812, 5.2.7.1),
and each rule counts, so that `inland regions status` shows what was tried.
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
    LocalPlan,
    LocalRegion,
)

TABLE = "inland"
REFUSE = 'counter reject with icmpx admin-prohibited comment "refused"'


def rulesets(plan: LocalPlan) -> dict[str, str]:
    """Namespace to its ruleset, as `nft -f` reads it."""
    found = {plan.router: _router(plan)}
    for region in plan.regions:
        found[region.node.namespace] = _node(plan, region)
        found[region.store.namespace] = _store(region)
    return found


def _router(plan: LocalPlan) -> str:
    """Callers to nodes, nodes to the control plane, answers: nothing between regions."""
    rules = ["ct state established,related counter accept", "ct state invalid counter drop"]
    rules += _accept_callers(plan)
    return _table(_chain("forward", rules))


def _accept_callers(plan: LocalPlan) -> Iterator[str]:
    callers = _callers()
    for region in plan.regions:
        first, last = region.settings.edge.media_ports
        name = region.stack
        to_node = f"ip saddr {callers} ip daddr {region.address}"
        yield _named(f"{to_node} tcp dport {{ {EDGE_PORT}, {SIP_PORT} }}", f"callers to {name}")
        yield _named(f"{to_node} udp dport {{ {SIP_PORT}, {first}-{last} }}", f"media to {name}")
        from_node = f"ip saddr {region.address} ip daddr {callers}"
        yield _named(f"{from_node} udp sport {{ {SIP_PORT}, {first}-{last} }}", f"media of {name}")
        for replica in plan.replicas:
            yield _named(
                f"ip saddr {region.address} ip daddr {replica.address} tcp dport {CONTROL_PORT}",
                f"{name} to the control plane",
            )
    for replica in plan.replicas:
        yield _named(
            f"ip saddr {callers} ip daddr {replica.address} tcp dport {CONTROL_PORT}",
            "callers to the control plane",
        )


def _node(plan: LocalPlan, region: LocalRegion) -> str:
    """A node's own egress barrier: its callers, its store, the control plane."""
    first, last = region.settings.edge.media_ports
    out = ['oifname "lo" accept', "ct state established,related counter accept"]
    out.append(
        _named(f"ip daddr {region.store_address} tcp dport {STORE_PORT}", "to its own store")
    )
    out += [
        _named(f"ip daddr {replica.address} tcp dport {CONTROL_PORT}", "to the control plane")
        for replica in plan.replicas
    ]
    ports = f"{{ {SIP_PORT}, {first}-{last} }}"
    out.append(_named(f"ip daddr {_callers()} udp sport {ports}", "media"))
    # A node is no router: what comes for its store from outside stays outside.
    return _table(_chain("output", out), _chain("forward", []))


def _store(region: LocalRegion) -> str:
    """A store hears its own node only, and begins nothing."""
    node = region.store.gateway.ip
    inward = ['iifname "lo" accept', "ct state established,related counter accept"]
    inward.append(_named(f"ip saddr {node} tcp dport {STORE_PORT}", "its own node"))
    outward = ['oifname "lo" accept', "ct state established,related counter accept"]
    return _table(_chain("input", inward), _chain("output", outward))


def _callers() -> str:
    return f"{{ {CALLERS}, {HOST_LINK} }}"


def _named(match: str, what: str) -> str:
    return f'{match} counter accept comment "{what}"'


def _chain(hook: str, rules: list[str]) -> str:
    lines = [f"type filter hook {hook} priority filter; policy drop;", *rules, REFUSE]
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {hook} {{\n{body}  }}\n"


def _table(*chains: str) -> str:
    # The table is made before it is flushed, so that a second run replaces it in one step.
    name = f"table inet {TABLE}"
    return f"{name} {{}}\nflush {name}\n{name} {{\n{''.join(chains)}}}\n"
