"""Inland calls out: through a trunk that asks who we are, to peers that do what people do."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from inland.bench.private_node import REGION
from inland.caller.utterances import resampled
from tests.peers import answerers
from tests.peers.baresip import Account, Baresip
from tests.peers.kamailio import Kamailio
from tests.peers.node import PhoneNode, phone_node
from tests.peers.ordering import Customer, Refused, customer
from tests.peers.program import free_ports
from tests.peers.scenarios import Scenario
from tests.peers.sipp import Sipp
from tests.system.phone import spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "inland-and-nobody-else"
SHORTEST_RING = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def carrier(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kamailio]:
    """A carrier that challenges the calls of its customer."""
    users = {"inland": PASSWORD}
    folder = tmp_path_factory.mktemp("carrier")
    async with Kamailio(folder, users=users, challenges_calls=True) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, carrier: Kamailio
) -> AsyncIterator[PhoneNode]:
    """A node that is the carrier's customer, and has a trunk where nobody is."""
    address = f"sip:127.0.0.1:{carrier.port}"
    nobody = free_ports(2)
    trunks = [
        _trunk("carrier", address, "CARRIER_PASSWORD"),
        _trunk("over-tcp", f"{address};transport=tcp", "CARRIER_PASSWORD"),
        _trunk("stranger", address, "WRONG_PASSWORD"),
        _trunk("dead", f"sip:127.0.0.1:{nobody}"),
        _trunk("dead-tcp", f"sip:127.0.0.1:{nobody};transport=tcp"),
    ]
    passwords = {"CARRIER_PASSWORD": PASSWORD, "WRONG_PASSWORD": "a guess"}
    async with phone_node(
        tmp_path_factory.mktemp("node"), trunks=trunks, passwords=passwords
    ) as found:
        yield found
    assert found.faults() == []


def _trunk(name: str, address: str, password: str | None = None) -> dict[str, object]:
    login = {"username": "inland", "password_env": password} if password else {}
    return {"name": name, "address": address, "routes": [REGION], **login}


@pytest_asyncio.fixture(loop_scope="module")
async def orders(node: PhoneNode) -> AsyncIterator[Customer]:
    async with customer(node) as found:
        yield found


@pytest.fixture
def flite() -> str:
    """A voice for whom we call."""
    program = shutil.which("flite")
    if program is None:
        pytest.skip("needs flite to speak for the callee (Debian: flite)")
    return program


@pytest.mark.parametrize("trunk", ["carrier", "over-tcp"])
async def test_a_call_rings_is_answered_and_ended_by_whom_we_called(
    orders: Customer, carrier: Kamailio, node: PhoneNode, tmp_path: Path, trunk: str
) -> None:
    challenged = carrier.count("call challenged")
    async with Baresip(tmp_path, Account("anna")) as phone:
        call = await orders.order(phone.uri, trunk=trunk)
        await phone.event("CALL_INCOMING")
        await call.stage("ringing")
        await phone.answer()
        await call.stage("answered")
        await phone.hears(1.0)
        await phone.hang_up()
        end = await call.ended()
    assert call.stages == ["dialling", "ringing", "answered", "ended"]
    assert (end["outcome"], end.get("status")) == ("completed", None)
    assert end["ordered_at"] <= end["answered_at"] <= end["ended_at"]
    assert carrier.count("call challenged") == challenged + 1


async def test_what_the_person_whom_we_called_says_is_understood_and_kept(
    orders: Customer, node: PhoneNode, tmp_path: Path, flite: str
) -> None:
    before = node.sessions()
    words = "what are your opening hours"
    async with Baresip(tmp_path, Account("anna", answers=True)) as phone:
        call = await orders.order(phone.uri, trunk="carrier")
        await call.stage("answered")
        await phone.hears_out(1.0)
        await phone.say(resampled(spoken(words, tmp_path, flite), 16_000))
        await phone.hears_out(1.0)
        await call.hang_up()
        await phone.event("CALL_CLOSED")
        assert (await call.ended())["outcome"] == "completed"
    history = await node.journal(await node.session(before))
    assert [turn.caller for turn in history.turns if turn.caller] == [words]
    assert history.turns[0].agent.startswith("Clinic")


async def test_early_media_is_told_before_the_answer(orders: Customer, tmp_path: Path) -> None:
    async with Sipp(tmp_path, answerers.plays_early(seconds=5.0)) as phone:
        call = await orders.order(phone.uri, trunk="carrier")
        await call.stage("answered")
        await call.hang_up()
        end = await call.ended()
        await phone.finished()
    assert call.stages == ["dialling", "early_media", "answered", "ended"]
    assert end["outcome"] == "completed"


async def test_a_person_who_is_busy_ends_the_call_as_busy(orders: Customer, tmp_path: Path) -> None:
    async with Baresip(tmp_path, Account("anna")) as phone:
        call = await orders.order(phone.uri, trunk="carrier")
        await phone.event("CALL_INCOMING")
        await phone.hang_up()
        end = await call.ended()
    assert (end["outcome"], end["status"], end["reason"]) == ("busy", 486, "Rejected")
    assert "answered" not in call.stages


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (answerers.refuses(603, "Decline"), "refused", 603),
        (answerers.refuses(480, "Temporarily Unavailable"), "no_answer", 480),
        (answerers.refuses(410, "Gone", rings=False), "unknown_number", 410),
        (answerers.refuses(503, "Service Unavailable", rings=False), "unreachable", None),
        (answerers.redirects("sip:other@127.0.0.1:9"), "refused", 302),
    ],
    ids=lambda value: value.name if isinstance(value, Scenario) else "",
)
async def test_each_refusal_has_its_word(
    orders: Customer, tmp_path: Path, answer: Scenario, outcome: str, status: int | None
) -> None:
    async with Sipp(tmp_path, answer) as phone:
        call = await orders.order(phone.uri, trunk="carrier")
        end = await call.ended()
        await phone.finished()
    assert end["outcome"] == outcome
    # A proxy may not pass a 503 on as it is (RFC 3261 section 16.7 step 6).
    assert status is None or end["status"] == status


async def test_a_call_that_nobody_answers_is_taken_back_in_time(
    orders: Customer, tmp_path: Path
) -> None:
    async with Sipp(tmp_path, answerers.never_answers()) as phone:
        call = await orders.order(phone.uri, trunk="carrier", ring_seconds=SHORTEST_RING)
        await call.stage("ringing")
        end = await call.ended()
        await phone.finished()
    assert call.stages == ["dialling", "ringing", "ended"]
    assert end["outcome"] == "no_answer"
    assert end["ended_at"] - end["ordered_at"] >= SHORTEST_RING
    assert "CANCEL sip:" in phone.messages


async def test_a_number_that_the_carrier_does_not_know_is_unknown(orders: Customer) -> None:
    call = await orders.order("+493023125999", trunk="carrier")
    end = await call.ended()
    assert (end["outcome"], end["status"]) == ("unknown_number", 404)


@pytest.mark.parametrize("trunk", ["dead", "dead-tcp"])
async def test_a_trunk_where_nobody_is_cannot_be_reached(orders: Customer, trunk: str) -> None:
    call = await orders.order("+493023125001", trunk=trunk, ring_seconds=SHORTEST_RING)
    end = await call.ended()
    assert end["outcome"] == "unreachable"


async def test_a_carrier_that_does_not_take_our_password_refuses(orders: Customer) -> None:
    call = await orders.order("+493023125001", trunk="stranger")
    end = await call.ended()
    assert (end["outcome"], end["status"]) == ("refused", 407)


async def test_an_order_can_be_taken_back_while_it_rings(orders: Customer, tmp_path: Path) -> None:
    async with Sipp(tmp_path, answerers.never_answers()) as phone:
        call = await orders.order(phone.uri, trunk="carrier")
        await call.stage("ringing")
        await call.hang_up()
        end = await call.ended()
        await phone.finished()
    assert end["outcome"] == "cancelled"
    assert "CANCEL sip:" in phone.messages


@pytest.mark.parametrize(
    ("to", "law"),
    [
        ("+17875550100", "covers PR"),
        ("+12125550100", "under us,"),
        ("+919800000000", "under in,"),
        ("+800", "plus"),
    ],
)
async def test_a_callee_whose_law_does_not_allow_this_region_is_not_called(
    orders: Customer, carrier: Kamailio, to: str, law: str
) -> None:
    placed = carrier.count("placed INVITE")
    with pytest.raises(Refused) as refused:
        await orders.order(to, trunk="carrier")
    assert (refused.value.status, refused.value.problem["code"]) == (403, "wrong_region")
    assert law in refused.value.problem["detail"]
    assert carrier.count("placed INVITE") == placed


async def test_a_trunk_must_be_named_where_there_are_several(orders: Customer) -> None:
    with pytest.raises(Refused) as refused:
        await orders.order("+493023125001")
    assert (refused.value.status, refused.value.problem["code"]) == (404, "unknown_trunk")
    assert "carrier, dead, dead-tcp, over-tcp, stranger" in refused.value.problem["detail"]


async def test_nothing_is_left_of_all_these_calls(node: PhoneNode) -> None:
    # A timer for each trunk, two for the connection of the one over TCP, two for the OPTIONS that
    # the dead one does not answer.
    await node.nothing_left(standing=9)
