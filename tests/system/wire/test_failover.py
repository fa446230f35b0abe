"""A region is lost: its callers go where their law allows, or nowhere; never a packet elsewhere."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from inland.caller.options import AGENT, DEMO_KEY
from tests.system.wire.calls import Call, calling
from tests.system.wire.capture import Captured
from tests.system.wire.expected import strangers
from tests.system.wire.network import Network
from tests.system.wire.observe import captures
from tests.system.wire.site import CALL, CODE, HOMES

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

EU, IRELAND, INDIA = HOMES.values()
SECONDS = 60.0
"""What the control plane may take to notice that a region has gone, or come back. It takes 5."""
REFUSED = 3
"""Exit status of a caller whom no region takes."""


@dataclass
class Story:
    """What happened, in the order in which regions were lost."""

    calls: dict[str, Call] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    uplinks: dict[str, Captured] = field(default_factory=dict)
    """Of a region that was killed, until it was dead."""
    ready: bool = False
    """Whether India would have taken calls when Europe was gone."""

    def call(self, what: str, network: Network, country: str, *options: str) -> None:
        """A whole call, by the name of what it is to show."""
        with calling(network, network.callers[country], *options) as call:
            self.statuses[what] = call.finished()
        self.calls[what] = call

    def refusal(self, what: str) -> str:
        """The code that a caller was refused with."""
        assert self.statuses[what] == REFUSED, self.calls[what].records[-2:]
        return str(self.calls[what].of_kind("refused")[0]["code"])


@pytest.fixture(scope="module")
def story(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """India is lost and comes back; Ireland, too; then Frankfurt is killed, and then Ireland."""
    told = Story()
    with captures(network, tmp_path_factory.mktemp("failover")) as taken:
        with network.cut_off(INDIA):
            placed(network, "IN", lambda regions: regions == [])
            told.call("India is dead", network, "IN")
        placed(network, "IN", lambda regions: regions == [INDIA])
        with network.cut_off(IRELAND):
            placed(network, "IE", lambda regions: regions == [EU])
            told.call("Ireland is dead", network, "IE")
        placed(network, "IE", lambda regions: regions == [IRELAND, EU])
        with calling(network, network.callers["DE"], *CALL) as call:
            call.until("tool")
            network.kill(EU)
            told.uplinks[EU] = taken[EU].so_far()
            network.cut_uplink(EU)
            told.statuses["killed in a call"] = call.finished()
            told.calls["killed in a call"] = call
        placed(network, "DE", lambda regions: regions == [IRELAND])
        told.call("Frankfurt is dead", network, "DE")
        network.kill(IRELAND)
        told.uplinks[IRELAND] = taken[IRELAND].so_far()
        network.cut_uplink(IRELAND)
        placed(network, "DE", lambda regions: regions == [])
        told.call("Europe is dead", network, "DE")
        told.call("Europe is dead for the Irish", network, "IE")
        told.ready = placed(network, "IN", lambda regions: regions == [INDIA])
        told.uplinks[INDIA] = taken[INDIA].so_far()
    return told


def placed(network: Network, country: str, found: Callable[[list[str]], bool]) -> bool:
    """Ask for a route until the candidates' regions are as awaited; nothing else tells a test."""
    end = time.monotonic() + SECONDS
    while not found(regions := candidates(network, country)):
        assert time.monotonic() < end, (country, regions)
        time.sleep(0.25)
    return True


def candidates(network: Network, country: str) -> list[str]:
    """Where the control plane would send a caller now, in order."""
    host = network.control.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"Authorization": f"Bearer {DEMO_KEY}", "Content-Type": "application/json"}
    body = json.dumps({"agent": AGENT, "country": country})
    connection.request("POST", "/v1/route", body=body, headers=headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return [str(one["region"]) for one in answer.get("candidates", [])]


def test_a_conversation_goes_on_in_the_other_region_of_its_law(story: Story) -> None:
    call = story.calls["killed in a call"]
    assert story.statuses["killed in a call"] == 0, call.records[-3:]
    assert call.regions == [EU, IRELAND]
    (again,) = call.of_kind("reconnect")
    assert again["carried_from"] == EU
    assert again["turns"] >= 2, "with what was said in Frankfurt"
    (tool,) = [one for one in call.of_kind("tool") if one["name"] == "reserve"]
    assert tool["ok"] and tool["arguments"] == {"code": CODE}


def test_new_callers_go_to_the_region_that_is_left_of_those_allowed(story: Story) -> None:
    assert story.statuses["Frankfurt is dead"] == 0
    assert story.calls["Frankfurt is dead"].regions == [IRELAND]
    assert story.statuses["Ireland is dead"] == 0
    assert story.calls["Ireland is dead"].regions == [EU]


def test_callers_are_refused_when_no_allowed_region_is_left(story: Story) -> None:
    for what in ("India is dead", "Europe is dead", "Europe is dead for the Irish"):
        assert story.refusal(what) == "no_region_available"
        assert story.calls[what].regions == []
    assert story.ready, "India had room all the time"


def test_no_packet_of_a_european_session_comes_to_india(network: Network, story: Story) -> None:
    uplink = story.uplinks[INDIA]
    europe = {network.callers[country].address for country in ("DE", "IE")}
    europe |= {network.address(region) for region in (EU, IRELAND)}
    assert [one for one in uplink.packets if {one.source, one.target} & europe] == []
    assert strangers(uplink, network, INDIA) == []


@pytest.mark.parametrize("region", [EU, IRELAND])
def test_no_packet_of_an_indian_session_comes_to_europe(
    network: Network, story: Story, region: str
) -> None:
    callers = frozenset(network.callers[country].address for country in ("DE", "IE"))
    assert strangers(story.uplinks[region], network, region, callers) == []


def test_the_callers_of_a_lost_region_are_seen_where_they_went(
    network: Network, story: Story
) -> None:
    german = network.callers["DE"].address
    came = [one for one in story.uplinks[IRELAND].packets if one.source == german]
    assert len(came) > 100, "so a packet to India would have been seen as well"
