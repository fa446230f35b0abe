"""A session and a worker, joined; both sides scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from edge.internal import Admitted
from edge.phone.dispatcher_line import DispatcherLine, LineBroke
from edge.phone.line import (
    Ended as WorkerEnded,
)
from edge.phone.line import (
    Established,
    HangUp,
    OurDescription,
    Pressed,
    TheirAnswer,
    TheirOffer,
    ToDispatcher,
    ToWorker,
    Transfer,
    Transferred,
    Unacceptable,
)
from edge.phone.phone_call import MOVE_SECONDS, PhoneCall, Transferrer
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import (
    Agreed,
    Confirmed,
    Ended,
    InfoReceived,
    Offered,
    OfferFailed,
    ReferProgress,
    SessionEvent,
)
from tests.fakes.clock import FakeClock

CALLER = Admitted(
    session_id="s_" + "a" * 22,
    tenant="clinic",
    agent="clinic-reception",
    jurisdictions=("eea",),
    policy="1#abc",
    regions={"audio": ("eu-central-1",)},
    resumed=False,
    number="+493012345678",
)


class FakeSession:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self._listener: Callable[[SessionEvent], None] = lambda event: None
        self.asked: asyncio.Queue[tuple[str, object]] = asyncio.Queue()
        self.ended = False

    @property
    def on_event(self) -> Callable[[SessionEvent], None]:
        return self._listener

    @on_event.setter
    def on_event(self, listener: Callable[[SessionEvent], None]) -> None:
        self._listener = listener

    def offer(self, sdp: bytes) -> bool:
        self.asked.put_nowait(("offer", sdp))
        return True

    def answer(self, sdp: bytes) -> None:
        self.asked.put_nowait(("answer", sdp))

    def refuse(self, status: int = 488) -> None:
        self.asked.put_nowait(("refuse", status))

    def end(self) -> None:
        self.ended = True


class FakeLine(DispatcherLine):
    """A worker under the test's control."""

    def __init__(self, description: bytes = b"worker") -> None:
        self.call_id = "sip_w0_x"
        self.description = description
        self.heard: asyncio.Queue[ToWorker] = asyncio.Queue()
        self.says: asyncio.Queue[ToDispatcher | None] = asyncio.Queue()
        self.closed = False

    async def send(self, message: ToWorker) -> None:
        self.heard.put_nowait(message)

    async def receive(self) -> ToDispatcher:
        message = await self.says.get()
        if message is None:
            raise LineBroke
        return message

    async def close(self) -> None:
        self.closed = True


class World:
    """One call, running, and the workers it may be moved to."""

    def __init__(self, transferrer: Transferrer | None = None) -> None:
        self.session = FakeSession()
        self.line = FakeLine()
        self.clock = FakeClock()
        self.others: list[FakeLine | EdgeRefusal] = []
        self.callers: list[Admitted] = []
        self.call = PhoneCall(
            self.session,
            CALLER,
            move_to=self._open,
            transferrer=transferrer,
            clock=self.clock,
        )

    async def _open(self, caller: Admitted, after: bytes) -> DispatcherLine:
        assert after == self.line.description
        self.callers.append(caller)
        found = self.others.pop(0) if self.others else EdgeRefusal("not_ready", "none")
        if isinstance(found, EdgeRefusal):
            self.clock.advance(1.0)
            raise found
        return found

    async def run(self, script: Callable[[], object]) -> Ended | None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(self.call.run(self.line))
            steps = script()
            assert asyncio.iscoroutine(steps)
            await steps
            return await running


async def test_the_conversation_begins_when_the_ack_came() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        assert await world.line.heard.get() == Established()
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    assert await world.run(script) is None
    assert world.session.ended
    assert world.line.closed


async def test_a_late_answer_reaches_the_worker_before_the_conversation_begins() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Confirmed(b"answer"))
        assert await world.line.heard.get() == TheirAnswer(sdp="answer")
        assert await world.line.heard.get() == Established()
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)


async def test_hold_is_described_by_the_worker() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        world.session.on_event(Offered(b"hold"))
        await world.line.heard.get()
        assert await world.line.heard.get() == TheirOffer(sdp="hold")
        world.line.says.put_nowait(OurDescription(sdp="held"))
        assert await world.session.asked.get() == ("answer", b"held")
        world.session.on_event(Offered(b"nonsense"))
        assert await world.line.heard.get() == TheirOffer(sdp="nonsense")
        world.line.says.put_nowait(Unacceptable(code="bad_sdp"))
        assert await world.session.asked.get() == ("refuse", 488)
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)


async def test_a_far_end_that_hangs_up_is_waited_for_until_the_worker_wrote_its_record() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Ended("remote_bye"))
        assert await world.line.heard.get() == HangUp(why="hangup")
        assert not world.line.closed
        world.line.says.put_nowait(WorkerEnded(reason="hangup"))

    assert await world.run(script) == Ended("remote_bye")


async def test_a_far_end_that_vanished_is_lost_and_no_goodbye() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Ended("expired"))
        assert await world.line.heard.get() == HangUp(why="lost")
        world.line.says.put_nowait(None)

    await world.run(script)


async def test_a_key_that_came_by_signalling_is_pressed() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(InfoReceived("application/dtmf-relay", b"Signal=4"))
        assert await world.line.heard.get() == Pressed(digit="4")
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)


async def test_a_call_whose_worker_dies_goes_on_at_another_one() -> None:
    world = World()
    second = FakeLine(b"moved")
    world.others = [EdgeRefusal("not_ready", "restarting"), second]

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        await world.line.heard.get()
        world.line.says.put_nowait(None)
        assert await world.session.asked.get() == ("offer", b"moved")
        assert [caller.resumed for caller in world.callers] == [True, True]
        assert {caller.number for caller in world.callers} == {"+493012345678"}
        world.session.on_event(Agreed(b"there"))
        assert await second.heard.get() == TheirAnswer(sdp="there")
        assert await second.heard.get() == Established()
        second.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)
    assert second.closed


async def test_a_call_that_may_not_be_resumed_is_not_tried_again() -> None:
    world = World()
    world.others = [EdgeRefusal("wrong_region", "not here"), FakeLine()]

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        world.line.says.put_nowait(None)

    assert await world.run(script) is None
    assert len(world.callers) == 1


async def test_a_call_is_given_up_when_no_worker_comes_in_time() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        world.line.says.put_nowait(None)

    assert await world.run(script) is None
    assert len(world.callers) == MOVE_SECONDS
    assert world.session.ended


async def test_a_caller_who_refuses_to_be_moved_ends_the_call() -> None:
    world = World()
    second = FakeLine()
    world.others = [second]

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        world.line.says.put_nowait(None)
        await world.session.asked.get()
        world.session.on_event(OfferFailed(488, "Not Acceptable Here"))
        world.session.on_event(Ended("local_bye"))
        assert await second.heard.get() == HangUp(why="hangup")
        second.says.put_nowait(WorkerEnded(reason="hangup"))

    await world.run(script)
    assert world.session.ended


async def test_a_refused_offer_of_an_unmoved_call_changes_nothing() -> None:
    world = World()

    async def script() -> None:
        world.session.on_event(Confirmed(None))
        world.session.on_event(OfferFailed(491, "Request Pending"))
        world.session.on_event(Offered(b"next"))
        await world.line.heard.get()
        assert await world.line.heard.get() == TheirOffer(sdp="next")
        assert not world.session.ended
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)


class ScriptedTransferrer:
    """Succeeds once the session said so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def transfer(
        self, request: Transfer, progress: asyncio.Queue[ReferProgress]
    ) -> Transferred:
        self.asked.set()
        final = await progress.get()
        return Transferred(ok=final.status < 300, status=final.status, reason=final.reason)


@pytest.mark.parametrize(("status", "ok"), [(200, True), (486, False)])
async def test_the_agent_learns_what_became_of_a_transfer(status: int, ok: bool) -> None:
    world = World(ScriptedTransferrer())

    async def script() -> None:
        world.line.says.put_nowait(Transfer(to="+4969123", how="blind", reference="r"))
        world.session.on_event(ReferProgress(status, "word", final=True))
        assert await world.line.heard.get() == Transferred(ok=ok, status=status, reason="word")
        world.line.says.put_nowait(WorkerEnded(reason="handover"))

    await world.run(script)


async def test_a_caller_who_leaves_because_of_a_transfer_has_not_hung_up_before_it() -> None:
    transferrer = ScriptedTransferrer()
    world = World(transferrer)

    async def script() -> None:
        world.line.says.put_nowait(Transfer(to="+4969123", how="blind", reference="r"))
        await transferrer.asked.wait()
        world.session.on_event(ReferProgress(200, "OK", final=True))
        world.session.on_event(Ended("remote_bye"))
        assert await world.line.heard.get() == Transferred(ok=True, status=200, reason="OK")
        assert await world.line.heard.get() == HangUp(why="hangup")
        world.line.says.put_nowait(WorkerEnded(reason="handover"))

    assert await world.run(script) == Ended("remote_bye")


async def test_a_call_without_transfers_says_so() -> None:
    world = World()

    async def script() -> None:
        world.line.says.put_nowait(Transfer(to="+4969123", how="blind", reference="r"))
        answer = await world.line.heard.get()
        assert isinstance(answer, Transferred)
        assert not answer.ok
        world.line.says.put_nowait(WorkerEnded(reason="completed"))

    await world.run(script)


async def test_cancelling_the_call_ends_both_sides() -> None:
    world = World()
    running = asyncio.ensure_future(world.call.run(world.line))
    world.session.on_event(Confirmed(None))
    await world.line.heard.get()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.session.ended
    assert world.line.closed
