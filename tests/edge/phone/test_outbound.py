"""Calls that were ordered: dialled lawfully, told of as they go, and named by how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.internal import Admitted
from edge.phone.access import TrunkAccess
from edge.phone.dispatcher_line import DispatcherLine
from edge.phone.line import Ended as WorkerEnded
from edge.phone.line import Established, HangUp, TheirAnswer
from edge.phone.orders import CallOrder, CallStatus, OrderedCall, Orders
from edge.phone.outbound import Outbound
from edge.phone.phone_metrics import PhoneMetrics
from edge.problem import EdgeRefusal
from edge.transport.sip.wire.message import Request
from tests.edge.phone.calling import Wires
from tests.edge.phone.test_callee import CATALOGUE
from tests.edge.phone.test_callee import order as token
from tests.edge.phone.test_phone_call import FakeLine
from tests.edge.transport.sip.core.duo import ANSWER, OFFER
from tests.fakes.clock import FakeClock
from tests.fakes.law import in_force

GERMAN = "+496912345678"


class Phone:
    """A node's outbound calls through one trunk, or more."""

    def __init__(self, group: asyncio.TaskGroup, *accesses: TrunkAccess, wires: Wires) -> None:
        self.wires = wires
        self.lines: list[FakeLine] = []
        self.callers: list[Admitted] = []
        self.full = False
        clock = FakeClock()
        self.orders = Orders(clock)
        self.metrics = PhoneMetrics()
        self.outbound = Outbound(
            region="eu-central-1",
            law=in_force(CATALOGUE),
            trunks={access.trunk.name: access for access in accesses},
            orders=self.orders,
            open_line=self._open,
            clock=clock,
            metrics=self.metrics,
            group=group,
        )

    async def _open(self, access: TrunkAccess, caller: Admitted, **_: Any) -> DispatcherLine:
        if self.full:
            raise EdgeRefusal("full", "no room")
        self.callers.append(caller)
        line = FakeLine(OFFER)
        line.call_id = f"sip_w0_{len(self.lines)}"
        self.lines.append(line)
        return line

    async def order(self, to: str = GERMAN, **more: Any) -> OrderedCall:
        return await self.outbound.dial(token(), CallOrder(to=to, **more))

    async def over(self, call: OrderedCall) -> CallStatus:
        """The order's end; the worker writes its record as soon as it is told."""
        line = self.lines[-1]

        def ended() -> bool:
            while not line.heard.empty():
                if isinstance(line.heard.get_nowait(), HangUp):
                    line.says.put_nowait(WorkerEnded(reason="hangup"))
            return call.status.stage == "ended"

        await self.wires.until(ended)
        return call.status


@asynccontextmanager
async def calls_out(*trunks: dict[str, Any], **changes: Any) -> AsyncIterator[Phone]:
    wires = Wires()
    accesses = [wires.access(**trunk) for trunk in trunks] or [wires.access(**changes)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        yield Phone(group, *accesses, wires=wires)
    assert [access.calls for access in accesses] == [0] * len(accesses)


async def test_an_answered_call_reaches_its_worker_and_ends_as_completed() -> None:
    async with calls_out(caller_id="+493023125001") as phone:
        phone.wires.carrier.behave = lambda owner: owner.session.ring()
        call = await phone.order()
        assert call.status.stage == "dialling"
        await phone.wires.until(lambda: call.status.stage == "ringing")
        (there,) = phone.wires.carrier.calls
        invite = there.session.request
        assert invite.uri == f"sip:{GERMAN}@192.0.2.2:5060"
        assert invite.from_.uri == "sip:+493023125001@192.0.2.2"
        assert there.session.sdp == OFFER
        there.session.accept(ANSWER)
        await phone.wires.until(lambda: call.status.stage == "answered")
        assert [caller.number for caller in phone.callers] == [GERMAN]
        line = phone.lines[0]
        assert await line.heard.get() == TheirAnswer(sdp=ANSWER.decode())
        assert await line.heard.get() == Established()
        there.session.bye()
        end = await phone.over(call)
    assert (end.outcome, end.status) == ("completed", None)
    assert line.closed
    phone.wires.finish()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(486, "busy"), (480, "no_answer"), (404, "unknown_number"), (503, "unreachable")],
)
async def test_a_refusal_ends_the_order_with_its_word(status: int, outcome: str) -> None:
    async with calls_out() as phone:
        phone.wires.carrier.behave = lambda owner: owner.session.reject(status)
        end = await phone.over(await phone.order())
    assert (end.outcome, end.status) == (outcome, status)
    phone.wires.finish()


async def test_early_media_is_told_and_heard() -> None:
    async with calls_out() as phone:
        phone.wires.carrier.behave = lambda owner: owner.session.ring(183, ANSWER)
        call = await phone.order()
        await phone.wires.until(lambda: call.status.stage == "early_media")
        assert await phone.lines[0].heard.get() == TheirAnswer(sdp=ANSWER.decode())
        phone.outbound.hang_up(call.status.call_id)
        end = await phone.over(call)
    assert end.outcome == "cancelled"


async def test_a_trunk_that_says_nothing_while_it_may_ring_was_not_reached() -> None:
    async with calls_out() as phone:
        order = CallOrder.model_construct(to=GERMAN, ring_seconds=0)
        call = await phone.outbound.dial(token(), order)
        end = await phone.over(call)
    assert end.outcome == "unreachable"
    phone.wires.finish()
    assert "CANCEL" in phone.wires.net.messages(phone.wires.node.address)


async def test_the_worker_that_ends_the_talk_completes_the_order() -> None:
    async with calls_out() as phone:
        phone.wires.carrier.behave = lambda owner: owner.session.accept(ANSWER)
        call = await phone.order()
        await phone.wires.until(lambda: call.status.stage == "answered")
        phone.lines[0].says.put_nowait(WorkerEnded(reason="completed"))
        await phone.wires.until(lambda: call.status.stage == "ended")
    assert call.status.outcome == "completed"
    phone.wires.finish()


@pytest.mark.parametrize(
    ("to", "more", "code"),
    [
        ("+12125550100", {}, "wrong_region"),
        ("+919800000000", {}, "wrong_region"),
        (GERMAN, {"trunk": "other"}, "unknown_trunk"),
        ("sip:desk@[nowhere", {}, "bad_number"),
    ],
)
async def test_what_may_not_be_called_is_not_dialled(
    to: str, more: dict[str, Any], code: str
) -> None:
    async with calls_out() as phone:
        with pytest.raises(EdgeRefusal) as refused:
            await phone.order(to, **more)
        assert refused.value.code == code
        assert all(line.closed for line in phone.lines)
    sent = [one.message for one in phone.wires.net.sent]
    assert not [message for message in sent if isinstance(message, Request)]


async def test_a_full_trunk_and_a_full_node_dial_nobody() -> None:
    async with calls_out(max_calls=1) as phone:
        phone.full = True
        with pytest.raises(EdgeRefusal, match="no room"):
            await phone.order()
        phone.full = False
        phone.wires.carrier.behave = lambda owner: owner.session.ring()
        call = await phone.order()
        with pytest.raises(EdgeRefusal, match="as many calls as it may"):
            await phone.order()
        phone.outbound.hang_up(call.status.call_id)
        await phone.over(call)


async def test_a_trunk_is_named_where_there_are_several_and_only_those_that_take_calls() -> None:
    async with calls_out({"name": "a"}, {"name": "b"}, {"name": "c", "address": None}) as phone:
        with pytest.raises(EdgeRefusal, match=r"name a trunk of this node: a, b$"):
            await phone.order()
        with pytest.raises(EdgeRefusal, match="name a trunk"):
            await phone.order(trunk="c")


async def test_a_call_that_breaks_does_not_take_the_others_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(line: FakeLine) -> None:
        raise RuntimeError("a defect")

    async with calls_out() as phone:
        phone.wires.carrier.behave = lambda owner: owner.session.ring()
        sound = await phone.order()
        await phone.wires.until(lambda: sound.status.stage == "ringing")
        monkeypatch.setattr(FakeLine, "receive", break_down)
        broken = await phone.order()
        await phone.wires.until(lambda: broken.status.stage == "ended")
        assert broken.status.outcome == "unreachable"
        assert "phone call broke" in caplog.text
        assert sound.status.stage == "ringing"
        phone.wires.carrier.calls[0].session.reject(486)
        phone.lines[0].says.put_nowait(WorkerEnded(reason="hangup"))
        await phone.wires.until(lambda: sound.status.stage == "ended")
    phone.wires.finish()
