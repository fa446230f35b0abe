"""How much leaves a region says nothing of how many sessions it has."""

from __future__ import annotations

import json
import logging
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.policy_settings import PolicySettings
from tests.system.wire.calls import PYTHON
from tests.system.wire.capture import Capture, Captured, capture
from tests.system.wire.expected import asked, beats, strangers
from tests.system.wire.flows import Way
from tests.system.wire.network import Network
from tests.system.wire.pcap import Packet
from tests.system.wire.site import HOMES
from tests.system.world import quiet_environment

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
log = logging.getLogger(__name__)

EU = HOMES["DE"]
MANY = 50
LEAST_BEATS = 5
"""Of each node to each replica, once all callers are connected."""
SECONDS = 90.0
"""What connecting, or hearing so many beats, may take before it counts as a hang."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What left a region over whole beats."""

    beats: int
    size: int
    """Bytes of IPv4 packets that carried heartbeats or acknowledged their answers."""
    questions: tuple[str, ...]
    """Everything else that was asked: for keys, for the law."""
    seconds: float

    @property
    def each(self) -> float:
        """Bytes that left with each beat."""
        return self.size / self.beats


@contextmanager
def crowd(network: Network, count: int) -> Iterator[list[str]]:
    """So many callers, connected; where each of them is."""
    caller = network.callers["DE"]
    program = (*PYTHON, "tests.system.wire.crowd", network.control, "DE", str(count))
    process = subprocess.Popen(
        caller.namespace.command(*program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=quiet_environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        line = process.stdout.readline() if ready else ""
        assert line, "the callers did not all connect"
        yield json.loads(line)["regions"]
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


def measured(network: Network, count: int, path: Path) -> Volume:
    """From before the first caller's offer until some beats after the last has connected."""
    with capture(network.router(EU), "up0", path) as uplink:
        with crowd(network, count) as regions:
            assert regions == [EU] * count
            connected = uplink.so_far()
            had = {flow.way: len(beats(flow)) for flow in connected.flows}
            seen = awaited(uplink, had, count)
        assert strangers(seen, network, EU) == []
    return volume(seen)


def awaited(uplink: Capture, had: Mapping[Way, int], count: int) -> Captured:
    """The capture once every connection has carried :data:`LEAST_BEATS` more, and the control plane
    hears of ``count`` sessions: an attempt to connect that failed is one, too, until it ends."""
    end = time.monotonic() + SECONDS
    while True:
        seen = uplink.so_far()
        now = {flow.way: len(beats(flow)) for flow in seen.flows if beats(flow)}
        enough = bool(now) and all(now[way] >= had.get(way, 0) + LEAST_BEATS for way in now)
        if enough and told(seen) == count:
            return seen
        assert time.monotonic() < end, (now, told(seen))


def told(seen: Captured) -> int:
    """Sessions by the last heartbeat."""
    last = [beats(flow)[-1] for flow in seen.flows if flow.way.leaving and beats(flow)]
    return int(json.loads(last[-1].body)["active"])


def volume(seen: Captured) -> Volume:
    """Of each connection with beats, from the first whole beat until the last begins."""
    count, size, questions = 0, 0, []
    for flow in seen.flows:
        if not flow.way.leaving:
            continue
        if not beats(flow):
            questions += [one.path for one in asked(flow)]
            continue
        sent = list(_once(flow.packets))
        begins = [index for index, one in enumerate(sent) if b"POST /v1/nodes/" in one.payload]
        count += len(begins) - 1
        size += sum(one.size for one in sent[begins[0] : begins[-1]])
    seconds = seen.packets[-1].at - seen.packets[0].at
    return Volume(count, size, tuple(questions), seconds)


def _once(packets: Sequence[Packet]) -> Iterator[Packet]:
    """Without what a busy machine made TCP send again: it says nothing new."""
    seen: set[tuple[bytes, bytes]] = set()
    for packet in packets:
        data = packet.payload[(packet.payload[12] >> 4) * 4 :]
        said = packet.payload[4:8], data
        if not data or said not in seen:
            yield packet
        seen.add(said)


def test_fifty_sessions_make_a_region_say_less_than_one_per_cent_more(
    network: Network, tmp_path: Path
) -> None:
    one = measured(network, 1, tmp_path / "one.pcap")
    many = measured(network, MANY, tmp_path / "many.pcap")
    log.info("1 session: %s, %.1f each; %d: %s, %.1f each", one, one.each, MANY, many, many.each)
    assert one.beats >= 2 * LEAST_BEATS
    assert many.each < one.each * 1.01
    # Asked by the clock, and not by how many callers there are.
    rounds = many.seconds / PolicySettings.model_fields["refresh_seconds"].default + 1
    assert len(many.questions) <= rounds * len(network.plan.replicas)
