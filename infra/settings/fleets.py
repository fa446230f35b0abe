"""Fleets: whether their machines exist, hold the calls, and have the ports for them."""

from __future__ import annotations

from collections.abc import Iterator

from infra.settings.offered import Offered
from infra.settings.problems import Key
from infra.settings.region import Edge, Range

CALLS_PER_VCPU = 20
"""Whole calls (speech, dialog and media) that a vCPU holds.

A call on a whole node took 0.0379 CPU seconds per second (docs/benchmarks.md, ``inland bench
media``), so 20 of them keep a vCPU three quarters busy. The callers of that bench never pause.
"""
PORTS_PER_CALL = 2
"""RTP and RTCP of a telephone call; WebRTC calls share a port."""
MOST_PORTS = 20_000
LOWEST_PORT, HIGHEST_PORT = 1_024, 65_535
TAKEN_PORTS = {
    443: "HTTPS",
    3478: "TURN",
    5060: "SIP",
    5061: "SIP over TLS",
    5349: "TURN over TLS",
    8080: "health checks",
}

Found = tuple[Key, str]


def problems_of_edge(edge: Edge, at: Key, region: str, offered: Offered) -> Iterator[Found]:
    """What is wrong with a fleet that takes calls; ``at`` is its key."""
    yield from problems_of_machines(edge.instance_type, edge.nodes, at, region, offered)
    if edge.instance_type in offered.instance_types(region):
        vcpus = offered.instance_type(edge.instance_type).vcpus
        most = vcpus * CALLS_PER_VCPU
        if edge.calls_per_node > most:
            yield (
                (*at, "callsPerNode"),
                f"{edge.calls_per_node} calls are more than {edge.instance_type} holds: its "
                f"{vcpus} vCPU hold {CALLS_PER_VCPU} each, so write {most} or less",
            )
    for words in _problems_of_ports(edge):
        yield (*at, "mediaPorts"), words


def problems_of_machines(
    instance_type: str, nodes: Range, at: Key, region: str, offered: Offered
) -> Iterator[Found]:
    """What is wrong with a fleet's instance type and its size."""
    refusal = offered.refusal_of_instance(region, instance_type)
    if refusal is not None:
        yield (*at, "instanceType"), refusal
    if nodes.min > nodes.max:
        yield (
            (*at, "nodes"),
            f"at least {nodes.min} nodes and at most {nodes.max}: raise max or lower min",
        )


def _problems_of_ports(edge: Edge) -> Iterator[str]:
    first, last = edge.media_ports
    if first > last:
        yield f"{first} to {last} runs backwards: write [{last}, {first}]"
        return
    if first < LOWEST_PORT or last > HIGHEST_PORT:
        yield f"ports {first} to {last}: stay within {LOWEST_PORT} to {HIGHEST_PORT}"
    count = last - first + 1
    if count > MOST_PORTS:
        yield (
            f"{count} ports are open to the world, {MOST_PORTS} at most: "
            f"write [{first}, {first + MOST_PORTS - 1}] or less"
        )
    needed = PORTS_PER_CALL * edge.calls_per_node
    if count < needed:
        yield (
            f"{count} ports are too few for {edge.calls_per_node} calls: a call takes "
            f"{PORTS_PER_CALL}, so write [{first}, {first + needed - 1}] or more"
        )
    for port, use in TAKEN_PORTS.items():
        if first <= port <= last:
            yield f"port {port} is for {use}: choose a range without it, such as [20000, 29999]"
