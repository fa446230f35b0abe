"""What leaves a region while calls run: nothing of them, with the barriers and without."""

from __future__ import annotations

import http.client
import json
import logging
from contextlib import ExitStack

import pytest

from inland.provision.local.host import refused
from tests.system.wire import plant
from tests.system.wire.calls import calling
from tests.system.wire.capture import capture
from tests.system.wire.expected import beats, strangers
from tests.system.wire.network import Network, forwards, interfaces, routes
from tests.system.wire.observe import Evidence, observed
from tests.system.wire.search import Finding
from tests.system.wire.site import CALL, CODE, HOMES, WORD

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
log = logging.getLogger(__name__)

EU, IRELAND, INDIA = HOMES.values()
LEAST_PACKETS = 300
"""Of one direction of a call of some seconds: 50 a second while somebody speaks."""


@pytest.fixture(scope="module")
def guarded(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return observed(network, tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def unguarded(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    with network.without_barriers():
        return observed(network, tmp_path_factory.mktemp("unguarded"))


@pytest.fixture(params=["guarded", "unguarded"])
def evidence(request: pytest.FixtureRequest) -> Evidence:
    found: Evidence = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("region", HOMES.values())
def test_whatever_a_region_says_to_others_passes_its_uplink(network: Network, region: str) -> None:
    stands = network.region(region)
    machines = {stands.store.namespace, *(node.link.namespace for node in stands.nodes)}
    for machine in machines:
        assert interfaces(machine) == {"lo", "up0"}, "its only link is to the router"
        assert set(routes(machine).values()) == {"up0"}
        assert not forwards(machine)
    behind = {f"to{number}" for number in range(len(machines))}
    assert interfaces(stands.router) == {"lo", "up0", "access", *behind}
    to = routes(stands.router)
    assert to.pop("default") == "up0"
    beyond = {name for name, device in to.items() if device == "up0"}
    assert beyond == {str(stands.uplink.address.network)}
    (caller,) = [one for one in network.callers.values() if one.region == region]
    (reached,) = [name for name, device in to.items() if device == "access"]
    assert reached.endswith("/30"), "the router and its caller, and nobody else"
    assert not forwards(caller.namespace.name), "a caller passes nothing on"


def test_without_barriers_regions_reach_one_another(network: Network) -> None:
    leaks = [plant.Leak("hello", "tcp", (b"hello",), "", "")]
    host = str(network.address(INDIA))
    with plant.sinks(network.node(INDIA), host, leaks):
        assert network.node(EU).call(lambda: plant.send(host, leaks)) == ["hello"]
        with network.without_barriers():
            assert network.node(EU).call(lambda: plant.send(host, leaks)) == []


def test_every_caller_talks_to_the_region_of_their_law(evidence: Evidence) -> None:
    for country, region in HOMES.items():
        call = evidence.calls[country]
        assert call.regions == [region]
        (tool,) = [one for one in call.of_kind("tool") if one["name"] == "reserve"]
        assert tool["ok"] and tool["arguments"] == {"code": CODE}
        assert evidence.media[region] > LEAST_PACKETS, "media takes the caller's own link"


@pytest.mark.parametrize("region", HOMES.values())
def test_nothing_of_any_call_is_on_an_uplink(evidence: Evidence, region: str) -> None:
    uplink = evidence.uplinks[region]
    assert sum(len(beats(flow)) for flow in uplink.flows) > 10, "the capture sees what leaves"
    search = evidence.search
    found = search.findings(uplink.flows, uplink.frames)
    log.info("%s: the most alike of all sounds: %s", region, search.nearest)
    assert [str(one) for one in found] == []


@pytest.mark.parametrize("region", HOMES.values())
def test_all_that_leaves_are_heartbeats_and_two_questions(
    network: Network, evidence: Evidence, region: str
) -> None:
    assert strangers(evidence.uplinks[region], network, region) == []


# --- the same search, where there is something to find -------------------------------------------


@pytest.fixture(scope="module")
def leaks(guarded: Evidence) -> list[plant.Leak]:
    return plant.leaks(guarded.said, guarded.caller, guarded.agent, guarded.rate)


@pytest.fixture(scope="module")
def planted(
    network: Network,
    guarded: Evidence,
    leaks: list[plant.Leak],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Finding]:
    """Every leak, sent from the machine of the node to another region's while a call runs."""
    folder = tmp_path_factory.mktemp("planted")
    host = str(network.address(INDIA))
    with ExitStack() as stack:
        stack.enter_context(network.without_barriers())
        stack.enter_context(plant.sinks(network.node(INDIA), host, leaks))
        uplink = stack.enter_context(capture(network.router(EU), "up0", folder / "eu.pcap"))
        call = stack.enter_context(calling(network, network.callers["DE"], *CALL))
        call.until("agent")
        assert network.node(EU).call(lambda: plant.send(host, leaks)) == []
        assert call.finished() == 0
        seen = uplink.so_far()
    assert strangers(seen, network, EU) != []
    return guarded.search.findings(seen.flows, seen.frames)


KINDS = (
    *("raw text", "hexadecimal", "base64", "UTF-16", "UTF-16 in base64", "percent"),
    *("JSON escapes", "gzip", "two segments", "two chunks", "a datagram", "two datagrams"),
    *("two fragments", "a name that is looked up", "a ping"),
    *(
        "PCM of 8 kHz",
        "PCM of 16 kHz",
        "PCM of 48 kHz",
        "PCMU in base64",
        "PCM in hexadecimal",
        "PCMA",
    ),
    *("PCMU in RTP", "PCMA in RTP", "G722 in RTP", "Opus in RTP"),
)


def test_no_kind_of_leak_is_left_out(leaks: list[plant.Leak]) -> None:
    assert tuple(leak.name for leak in leaks) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_leak_is_found(
    planted: list[Finding], leaks: list[plant.Leak], kind: str
) -> None:
    port = plant.port_of(leaks, kind)
    (leak,) = [one for one in leaks if one.name == kind]
    here = [
        finding
        for finding in planted
        if finding.way is not None and finding.way.leaving and finding.way.target_port == port
    ]
    assert any(one.what == leak.what and leak.written in one.written for one in here), here


def test_a_barrier_refuses_a_leak_to_another_region(
    network: Network, leaks: list[plant.Leak]
) -> None:
    host = str(network.address(INDIA))
    before = refused(network.plan)[network.node(EU).name]
    by_tcp = [leak for leak in leaks if leak.transport == "tcp"]
    with plant.sinks(network.node(INDIA), host, by_tcp):
        sent = network.node(EU).call(lambda: plant.send(host, by_tcp))
    assert sent == [leak.name for leak in by_tcp]
    assert refused(network.plan)[network.node(EU).name] >= before + len(by_tcp)


def test_a_leak_by_the_way_that_the_barriers_leave_open_is_found(
    network: Network, guarded: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("allowed")
    with capture(network.router(EU), "up0", folder / "eu.pcap") as uplink:
        network.node(EU).call(lambda: posted(network.control, WORD))
        seen = uplink.so_far()
    assert {one.what for one in guarded.search.findings(seen.flows, seen.frames)} == {"typed word"}
    told = strangers(seen, network, EU)
    assert any("a heartbeat with something else in it" in one for one in told)


def posted(control: str, word: str) -> None:
    """A beat that says a word, as a node with another program could send it."""
    connection = http.client.HTTPConnection(control.removeprefix("http://"), timeout=10)
    connection.request("POST", "/v1/nodes/x/beat", body=json.dumps({"note": word}))
    connection.getresponse().read()
    connection.close()
