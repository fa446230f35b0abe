"""A caller is given to a person behind a PBX, who really rings; or comes back to the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge.events import ToolRecord
from edge.session.records import CallRecord
from edge.session.sqlite import SqliteStore
from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.extras.user_to_user import UserToUser
from inland.bench.private_node import REGION
from inland.phone.telephone import Telephone
from tests.peers.agents import write_agent
from tests.peers.audio import tone
from tests.peers.baresip import Account, Baresip
from tests.peers.desk import Desk, Transferee, caller_phone, desk, hear_each_other
from tests.peers.kamailio import Kamailio
from tests.peers.node import PhoneNode, number, phone_node, trunk
from tests.system.phone import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "nobody-else-sits-here"
NEVER_ALLOWED = "127.0.0.2"
"""Calls from there are of a trunk that may transfer, only not to the desk."""
HERTZ = 440.0
FAILED = "Nobody is free right now."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kamailio]:
    """The desk is an extension of it."""
    async with Kamailio(tmp_path_factory.mktemp("pbx"), users={"desk": PASSWORD}) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, pbx: Kamailio) -> AsyncIterator[PhoneNode]:
    """``clinic`` gives its callers to the desk at once, ``bank`` only once the desk answered."""
    folder = tmp_path_factory.mktemp("node")
    at = f"127.0.0.1:{pbx.port}"
    for agent, kind in (("clinic-reception", "blind"), ("bank-callback", "attended")):
        escalation = {
            "to": f"sip:desk@{at}",
            "kind": kind,
            "say": "One moment.",
            "failed": FAILED,
        }
        agents = write_agent(folder / "agents", agent, escalation=escalation)
    address = f"sip:{at}"
    async with phone_node(
        folder,
        edge={"agents": str(agents)},
        trunks=[
            trunk(address=address, transfer=["sip:desk@*"]),
            trunk(
                name="strict",
                networks=[f"{NEVER_ALLOWED}/32"],
                address=address,
                transfer=["sip:nobody@*"],
            ),
        ],
        numbers=[number(), number("bank", tenant="demo-bank", agent="bank-callback")],
    ) as found:
        yield found
    assert found.faults() == []


@pytest_asyncio.fixture(loop_scope="module")
async def person(pbx: Kamailio) -> AsyncIterator[Desk]:
    """Who sits at the desk; answers unless told otherwise."""
    async with desk(pbx, "desk", PASSWORD) as found:
        yield found


async def outcome(node: PhoneNode, before: list[str]) -> tuple[CallRecord, ToolRecord, list[str]]:
    """Of the session since ``before``: the call's record, the transfer in the journal, and what
    the agent said in each turn."""
    session = await node.session(before)
    history = await node.journal(session)
    store = await SqliteStore.open(node.folder / REGION / "sessions.sqlite")
    try:
        (record,) = await store.read_records(session_id=session)
    finally:
        await store.close()
    (transfer,) = history.settled
    return record, transfer, [turn.agent for turn in history.turns]


async def test_a_caller_is_given_to_a_third_phone_that_rings_and_answers(
    node: PhoneNode, pbx: Kamailio, tmp_path: Path
) -> None:
    before = node.sessions()
    account = Account("desk", registrar=f"127.0.0.1:{pbx.port}", password=PASSWORD)
    third = Baresip(tmp_path / "desk", account)
    caller = Baresip(tmp_path / "caller", says=tone(HERTZ, 30.0))
    async with third, caller:
        await third.event("REGISTER_OK")
        await caller.dial(node.uri())
        await caller.event("CALL_ESTABLISHED")
        await caller.hears(1.0)
        await caller.press("0")
        await third.event("CALL_INCOMING")
        await third.answer()
        await third.event("CALL_ESTABLISHED")
        await third.hears(0.5, HERTZ)
        await caller.event("CALL_CLOSED")
    record, transfer, _ = await outcome(node, before)
    assert (record.reason, record.transferred) == ("handover", True)
    assert (transfer.ok, transfer.output) == (True, {"status": 200})


async def test_a_caller_whom_the_third_phone_turns_away_is_back_with_the_agent(
    node: PhoneNode, pbx: Kamailio, tmp_path: Path
) -> None:
    before = node.sessions()
    account = Account("desk", registrar=f"127.0.0.1:{pbx.port}", password=PASSWORD)
    third = Baresip(tmp_path / "desk", account)
    caller = Baresip(tmp_path / "caller")
    async with third, caller:
        await third.event("REGISTER_OK")
        await caller.dial(node.uri())
        await caller.event("CALL_ESTABLISHED")
        await caller.hears_out()
        await caller.press("0")
        await third.event("CALL_INCOMING")
        await caller.hears_out()
        await third.hang_up()
        await third.event("CALL_CLOSED")
        await caller.hears_out()
        await caller.hang_up()
    record, transfer, said = await outcome(node, before)
    assert (record.reason, record.transferred) == ("hangup", False)
    assert (transfer.ok, transfer.output) == (False, {"status": 486})
    assert said[-1].startswith(FAILED)


async def test_only_the_reference_goes_along_with_a_blind_transfer(
    node: PhoneNode, person: Desk
) -> None:
    before = node.sessions()
    async with caller_phone() as phone:
        caller = await reaches_the_agent(phone, node.uri())
        transferee = Transferee(phone, caller.line)
        caller.line.leg.send_digits("0")
        session = await person.called()
        line = await transferee.goes()
        await hear_each_other(line, person.lines[0])
        assert (await caller.line.over()).cause == "remote_bye"
    record, transfer, _ = await outcome(node, before)
    assert record.transferred
    assert reference(session) == transfer.call_id
    assert str(transfer.arguments["summary"]) not in session.request.encode().decode()


async def test_a_person_who_answered_first_gets_the_caller_in_that_call(
    node: PhoneNode, person: Desk
) -> None:
    before = node.sessions()
    async with caller_phone() as phone:
        caller = await reaches_the_agent(phone, node.uri("bank"))
        transferee = Transferee(phone, caller.line)
        caller.line.leg.send_digits("0")
        asked, replacing = await person.called(), await person.called(2)
        line = await transferee.goes()
        assert replacing.request.headers.get("replaces") is not None
        asking, joined = person.lines
        assert (await asking.over()).cause == "replaced"
        await hear_each_other(line, joined)
        assert (await caller.line.over()).cause == "remote_bye"
    record, transfer, _ = await outcome(node, before)
    assert (record.reason, record.transferred) == ("handover", True)
    assert (transfer.ok, transfer.output) == (True, {"status": 200})
    assert reference(asked) == reference(replacing) == transfer.call_id


@pytest.mark.parametrize(
    ("user", "status"), [("clinic", 486), ("clinic", 480), ("bank", 486), ("bank", 603)]
)
async def test_a_caller_whom_nobody_takes_is_told_so_and_served_on(
    node: PhoneNode, person: Desk, user: str, status: int
) -> None:
    before = node.sessions()
    person.behave = lambda session: session.reject(status)
    async with caller_phone() as phone:
        caller = await reaches_the_agent(phone, node.uri(user))
        Transferee(phone, caller.line)
        caller.line.leg.send_digits("0")
        await person.called()
        await caller.agent_finished()
        assert caller.line.stands
        # Asked once more, the agent tries once more.
        person.behave = person.answer
        caller.line.leg.send_digits("0")
        await person.called(2)
        assert (await caller.line.over()).cause == "remote_bye"
    session = await node.session(before)
    history = await node.journal(session)
    first, second = history.settled
    assert (first.ok, first.output) == (False, {"status": status})
    assert (second.ok, second.output) == (True, {"status": 200})
    assert any(turn.agent.startswith(FAILED) for turn in history.turns)


async def test_a_caller_who_gives_up_the_ringing_desk_is_back_with_the_agent(
    node: PhoneNode, person: Desk
) -> None:
    before = node.sessions()
    person.behave = lambda session: session.ring()
    async with caller_phone() as phone:
        caller = await reaches_the_agent(phone, node.uri())
        transferee = Transferee(phone, caller.line)
        caller.line.leg.send_digits("0")
        await person.called()
        (await transferee.goes()).hang_up()
        await caller.agent_finished()
        await caller.hangs_up()
    record, transfer, said = await outcome(node, before)
    assert (record.reason, record.transferred) == ("hangup", False)
    assert (transfer.ok, transfer.output) == (False, {"status": 487})
    assert said[-1].startswith(FAILED)


@pytest.mark.parametrize("user", ["clinic", "bank"])
async def test_nobody_is_called_whom_the_trunk_does_not_allow(
    node: PhoneNode, person: Desk, user: str
) -> None:
    before = node.sessions()
    async with caller_phone(host=NEVER_ALLOWED) as phone:
        caller = await reaches_the_agent(phone, node.uri(user))
        Transferee(phone, caller.line)
        await caller.presses("0")
        await caller.hangs_up()
    _, transfer, said = await outcome(node, before)
    assert (transfer.ok, transfer.output) == (False, {"status": 403})
    assert FAILED in said[-1]
    assert person.sessions == []


async def reaches_the_agent(phone: Telephone, uri: str) -> Caller:
    """A caller whom the agent has greeted."""
    caller = Caller(phone.dial(uri))
    await caller.answered()
    await caller.agent_finished()
    return caller


def reference(session: Session) -> str:
    """What came with a call beside the call; the one User-to-User that it has."""
    (value,) = session.request.headers.lines("user-to-user")
    parsed = UserToUser.parse(value)
    assert parsed.purpose == "isdn-uui"
    return parsed.data.decode()
