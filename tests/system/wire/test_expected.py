"""What is let pass as expected is no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from control_plane.contract import JWKS_PATH, POLICY_PATH, Heartbeat
from infra.local.plan import CONTROL_PORT, plan_host
from infra.settings.load import load_control_plane_stack, load_region_stack
from inland.provision.project import find_project
from tests.system.wire.capture import Captured
from tests.system.wire.expected import asked, beats, strangers
from tests.system.wire.network import Network
from tests.system.wire.packets import OWN, frame, tcp, udp
from tests.system.wire.pcap import TCP, UDP, Frame, packets

REGION = "eu-central-1"
PORTS = (40_000, CONTROL_PORT)


@pytest.fixture(scope="module")
def network() -> Network:
    stacks = {REGION: load_region_stack(find_project(REGION).stack_file)}
    control = load_control_plane_stack(find_project("control-plane").stack_file)
    return Network(Path(), plan_host(stacks, control), {})


def beat(sequence: int, **changes: object) -> bytes:
    facts: dict[str, object] = {
        "node": REGION,
        "region": REGION,
        "url": "http://10.16.0.10:7100",
        "boot": "0123456789abcdef",
        "sequence": sequence,
        "capacity": 60,
        "active": 1,
        "draining": False,
        "policy": "1#abc",
        "version": "0.1.0",
    }
    body = Heartbeat.model_validate(facts | changes).model_dump_json(exclude_none=True).encode()
    return request("POST", f"/v1/nodes/{REGION}/beat", body)


def request(method: str, path: str, body: bytes = b"", *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 10.0.0.10:7000", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


def captured(network: Network, *sent: bytes) -> Captured:
    """From the node to a replica, on one connection."""
    frames, at = [], 1
    for data in sent:
        frames.append(moved(network, frame(tcp(data, at, ports=PORTS), TCP)))
        at += len(data)
    return of(frames)


def moved(network: Network, one: Frame) -> Frame:
    """To the address of a replica."""
    replica = network.plan.replicas[0].address.packed
    return Frame(one.at, one.data[:30] + replica + one.data[34:])


def of(frames: Sequence[Frame]) -> Captured:
    return Captured(list(frames), list(packets(frames, OWN)))


def test_beats_and_both_questions_are_expected(network: Network) -> None:
    sent = (beat(1), request("GET", JWKS_PATH), beat(2), request("GET", POLICY_PATH), beat(3))
    seen = captured(network, *sent)
    assert strangers(seen, network, REGION) == []
    (flow,) = seen.flows
    assert (len(beats(flow)), len(asked(flow))) == (3, 5)


def test_a_capture_that_begins_and_ends_within_a_beat_is_read(network: Network) -> None:
    seen = captured(network, beat(1)[200:], beat(2), beat(3)[:-20])
    assert strangers(seen, network, REGION) == []
    (flow,) = seen.flows
    assert len(beats(flow)) == 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([request("POST", "/v1/nodes/a/beat", b'{"said": "hello"}')], "something else in it"),
        ([beat(1), beat(3)], "do not follow"),
        ([beat(1), beat(2, boot="fedcba9876543210")], "differ"),
        ([beat(1), beat(2, version="what was said")], "differ"),
        ([beat(1, version="v" * 64, policy="p" * 128, url="http://" + "u" * 200)], "bytes"),
        ([request("GET", JWKS_PATH, b"said")], "a question of 4 bytes"),
        ([request("GET", f"{JWKS_PATH}?said=hello")], "GET "),
        ([request("POST", "/v1/transcripts", b"said")], "POST /v1/transcripts"),
        ([request("GET", JWKS_PATH, b"", "X-Said: hello")], "x-said"),
        ([request("GET", JWKS_PATH, b"", f"User-Agent: {'x' * 600}")], "headers"),
        ([request("GET", JWKS_PATH, b"", f"Accept: {word}") for word in "ab"], "that differ"),
        ([b"said " * 300], "not HTTP"),
        ([beat(1), b"said " * 300], "not HTTP"),
        ([beat(1), b"said"], "not HTTP"),
        ([beat(1), b"said", beat(2)], "POST"),
    ],
)
def test_anything_else_is_a_stranger(network: Network, sent: list[bytes], told: str) -> None:
    (problem, *_) = strangers(captured(network, *sent), network, REGION)
    assert told in problem


def test_any_other_flow_or_frame_is_a_stranger(network: Network) -> None:
    there = moved(network, frame(udp(b"x", PORTS), UDP))
    elsewhere = frame(tcp(beat(1), 1, ports=PORTS), TCP)
    other_port = moved(network, frame(tcp(beat(1), 1, ports=(40_000, 443)), TCP))
    odd = Frame(0.0, bytes(12) + b"\x86\xdd" + bytes(40))
    for one in (there, elsewhere, other_port, odd):
        assert len(strangers(of([one]), network, REGION)) == 1


def test_a_caller_from_elsewhere_is_expected_only_by_name(network: Network) -> None:
    media = frame(udp(b"x"), UDP)
    far = packets([media], OWN).__next__().target
    assert len(strangers(of([media]), network, REGION)) == 1
    assert strangers(of([media]), network, REGION, frozenset({far})) == []
