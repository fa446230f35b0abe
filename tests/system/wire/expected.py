"""All that a region may say to anybody but its own callers: beats, and two questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from control_plane.contract import JWKS_PATH, POLICY_PATH, Heartbeat
from infra.local.plan import CONTROL_PORT
from tests.system.wire.capture import Captured
from tests.system.wire.flows import Flow
from tests.system.wire.network import Network
from tests.system.wire.pcap import ARP, IPV4, TCP

LARGEST_BEAT, LARGEST_HEAD = 512, 512
"""Bytes."""
CHANGES = {"sequence", "active", "draining", "policy", "serial"}
"""What of a heartbeat may differ from one to the next."""
HEADERS = {"host", "accept", "accept-encoding", "authorization", "content-length", "content-type"}
HEADERS |= {"user-agent", "connection", "if-none-match"}
_VERBS = (b"POST /", b"GET /")
_BEGINS = re.compile(rb"(?:POST|GET) /")


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request (RFC 9112). ``headers`` in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def strangers(
    captured: Captured,
    network: Network,
    region: str,
    callers: frozenset[IPv4Address] = frozenset(),
) -> list[str]:
    """Everything on a region's uplink that is not one of the three, in words; ``callers`` from
    elsewhere may also talk to its nodes."""
    kinds = {frame.kind for frame in captured.frames} - {IPV4, ARP}
    found = [f"frames of type {kind:#06x}" for kind in sorted(kinds)]
    nodes = {node.address for node in network.region(region).nodes}
    replicas = {replica.address for replica in network.plan.replicas}
    for flow in captured.flows:
        ends = {flow.way.source, flow.way.target}
        if ends & callers and ends & nodes:
            continue
        if not _between(flow, nodes, replicas):
            found.append(str(flow.way))
        elif flow.way.leaving:
            found += [f"{flow.way}: {problem}" for problem in _problems(flow)]
    return found


def asked(flow: Flow) -> list[Asked]:
    """The whole requests of a flow that may have been joined in mid-sentence."""
    return [request for stream in flow.streams for request in _parted(stream)[1]]


def beats(flow: Flow) -> list[Asked]:
    """Its heartbeats."""
    return [request for request in asked(flow) if request.path.endswith("/beat")]


def _between(flow: Flow, nodes: set[IPv4Address], replicas: set[IPv4Address]) -> bool:
    """Whether it is TCP between a node and a replica of the control plane, begun by the node."""
    way = flow.way
    if way.protocol != TCP:
        return False
    if way.leaving:
        return way.source in nodes and way.target in replicas and way.target_port == CONTROL_PORT
    return way.target in nodes and way.source in replicas and way.source_port == CONTROL_PORT


def _problems(flow: Flow) -> Iterator[str]:
    same: dict[str, set[str]] = {}
    sequence: int | None = None
    for stream in flow.streams:
        # Joined and left in mid-sentence: at most a part of one request on either side.
        before, _, after = _parted(stream)
        odd = after and not any(verb.startswith(after[: len(verb)]) for verb in _VERBS)
        if odd or max(len(before), len(after)) > LARGEST_BEAT + LARGEST_HEAD:
            yield f"not HTTP: {len(before)} bytes before, {len(after)} after"
    for request in asked(flow):
        fixed = sorted(request.headers.items() - {("content-length", str(len(request.body)))})
        same.setdefault(f"headers of {request.path}", set()).add(repr(fixed))
        head = sum(len(name) + len(value) for name, value in request.headers.items())
        if request.headers.keys() - HEADERS or head > LARGEST_HEAD:
            yield f"headers {sorted(request.headers)} of {head} bytes"
        if (request.method, request.path) in {("GET", JWKS_PATH), ("GET", POLICY_PATH)}:
            if request.body:
                yield f"a question of {len(request.body)} bytes"
        elif re.fullmatch(r"/v1/nodes/[a-z0-9-]+/beat", request.path) and request.method == "POST":
            try:
                beat = Heartbeat.model_validate_json(request.body)
            except ValueError:
                yield "a heartbeat with something else in it"
                continue
            if len(request.body) > LARGEST_BEAT:
                yield f"a heartbeat of {len(request.body)} bytes"
            if sequence is not None and beat.sequence != sequence + 1:
                yield "heartbeats that do not follow one another"
            sequence = beat.sequence
            same.setdefault("heartbeats", set()).add(repr(beat.model_dump(exclude=CHANGES)))
        else:
            yield f"{request.method} {request.path}"
    yield from (f"{what} that differ: {ways}" for what, ways in same.items() if len(ways) > 1)


def _parted(stream: bytes) -> tuple[bytes, list[Asked], bytes]:
    """What comes before the first request, the whole requests, and the rest."""
    begins = _BEGINS.search(stream)
    at = start = begins.start() if begins else len(stream)
    found = []
    while (end := stream.find(b"\r\n\r\n", at)) >= 0:
        first, *lines = stream[at:end].decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(stream) < end + 4 + int(length):
            break
        body = stream[end + 4 : end + 4 + int(length)]
        found.append(Asked(method, rest.removesuffix(" HTTP/1.1"), headers, body))
        at = end + 4 + int(length)
    return stream[:start], found, stream[at:]
