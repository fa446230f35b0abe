"""Calls of a trunk: the law first, then a worker; no port is opened for who may not be here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from control_plane.contract import NodeRouteRequest, RouteResponse
from edge.internal import Admitted
from edge.phone.access import TrunkAccess
from edge.phone.admission import TrunkLimits
from edge.phone.destination import DialPlan
from edge.phone.dispatcher_line import DispatcherLine
from edge.phone.inbound import Inbound
from edge.phone.line import Ended as WorkerEnded
from edge.phone.line import Established, HangUp
from edge.phone.phone_metrics import PhoneMetrics
from edge.phone.placement import Here, Routed, Unrouted
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import Ended
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.values import NameAddr
from tests.edge.phone.calling import Wires
from tests.edge.phone.parts import NUMBER, number, phone
from tests.edge.phone.test_phone_call import FakeLine
from tests.edge.phone.test_placement import DRAINING, FULL, HERE, routed
from tests.edge.transport.sip.core.duo import ANSWER, OFFER, Owner


class Node:
    """``ruling`` is what the law says, ``opens`` what the next worker says."""

    def __init__(self, group: asyncio.TaskGroup, **trunk: Any) -> None:
        self.wires = Wires()
        self.access = self.wires.access(routes=("eu-central-1", "eu-west-1"), **trunk)
        self.ruling: Routed | Unrouted = routed("eu-central-1", "eu-west-1")
        self.here: Here = HERE
        self.opens: EdgeRefusal | None = None
        self.asked: list[NodeRouteRequest] = []
        self.opened: list[dict[str, Any]] = []
        self.callers: list[Admitted] = []
        self.line = FakeLine(ANSWER)
        self.metrics = PhoneMetrics()
        self._group = group
        clock = self.wires.net.clock
        self._inbound = Inbound(
            plan=DialPlan(phone(trunks=[self.access.trunk], numbers=[number(NUMBER)])),
            limits=TrunkLimits((self.access.trunk,), clock),
            router=self,
            rule=lambda answer: self.ruling,
            here=lambda: self.here,
            open_line=self._open,
            clock=clock,
            metrics=self.metrics,
        )
        self.wires.node.core.on_invite = self._invited

    async def ask(self, wanted: NodeRouteRequest) -> RouteResponse | Unrouted:
        self.asked.append(wanted)
        return cast(RouteResponse, None)

    async def _open(self, access: TrunkAccess, caller: Admitted, **how: Any) -> DispatcherLine:
        self.opened.append(how)
        self.callers.append(caller)
        if self.opens is not None:
            raise self.opens
        return self.line

    def _invited(self, session: Session) -> None:
        self._group.create_task(self._inbound.serve(session, self.access))

    async def refused(self, user: str = NUMBER) -> Ended:
        """How a call that is not taken ends."""
        call = self.dial(user)
        await self.wires.until(lambda: call.end is not None)
        assert call.end is not None
        return call.end

    def dial(self, user: str = NUMBER) -> Owner:
        """The carrier calls."""
        return Owner(
            self.wires.carrier.core.invite(
                f"sip:{user}@192.0.2.1",
                destination=Destination("udp", "192.0.2.1", 5060),
                from_=NameAddr("sip:+4930111@192.0.2.2"),
                sdp=OFFER,
            )
        )


@asynccontextmanager
async def node(**trunk: Any) -> AsyncIterator[Node]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        found = Node(group, **trunk)
        yield found
    assert found.access.calls == 0
    found.wires.finish()


async def test_a_lawful_call_is_answered_by_a_worker_and_ends_with_it() -> None:
    async with node() as here:
        call = here.dial()
        await here.wires.until(lambda: call.session.state == "confirmed")
        assert call.session.sdp == ANSWER
        assert here.opened == [{"sdp": OFFER, "source": "192.0.2.2"}]
        assert [caller.number for caller in here.callers] == ["+4930111"]
        (asked,) = here.asked
        assert "+4930111" not in asked.model_dump_json(), "the control plane learns no number"
        assert (asked.dialled_country, asked.tenant) == ("DE", "demo-clinic")
        await here.wires.until(lambda: not here.line.heard.empty())
        assert await here.line.heard.get() == Established()
        call.session.bye()
        await here.wires.until(lambda: not here.line.heard.empty())
        assert await here.line.heard.get() == HangUp(why="hangup")
        here.line.says.put_nowait(WorkerEnded(reason="hangup"))


async def test_a_number_that_nobody_has_is_404_and_nobody_is_asked() -> None:
    async with node() as here:
        assert (await here.refused("+4930999")).status == 404
        assert not here.asked
        assert not here.opened


@pytest.mark.parametrize(
    ("ruling", "here_is", "status", "header", "value"),
    [
        (routed("eu-west-1"), HERE, 302, "contact", "eu-west-1.example.org"),
        (routed(), HERE, 603, "reason", "no_region_allowed"),
        (Unrouted("unreachable"), HERE, 603, "reason", "X-Inland"),
        (routed("eu-central-1", "eu-west-1"), FULL, 503, "retry-after", ""),
        (routed("eu-central-1", "eu-west-1"), DRAINING, 503, "retry-after", ""),
        (routed("eu-central-1", candidates=()), FULL, 603, "reason", "X-Inland"),
    ],
)
async def test_a_call_that_is_not_for_here_is_sent_away_before_any_media(
    ruling: Routed | Unrouted, here_is: Here, status: int, header: str, value: str
) -> None:
    async with node() as here:
        here.ruling, here.here = ruling, here_is
        end = await here.refused()
        assert end.status == status
        assert end.headers is not None
        assert value in (end.headers.get(header) or "nothing")
        assert here.opened == []


@pytest.mark.parametrize("code", ["bad_sdp", "no_common_codec", "srtp_required"])
async def test_media_that_no_worker_can_serve_is_488(code: str) -> None:
    async with node() as here:
        here.opens = EdgeRefusal(code, "not so")
        assert (await here.refused()).status == 488


@pytest.mark.parametrize("code", ["full", "not_ready"])
async def test_a_node_that_proves_full_at_the_last_moment_says_so(code: str) -> None:
    async with node() as here:
        here.opens = EdgeRefusal(code, "no room after all")
        assert (await here.refused()).status == 503


async def test_what_else_a_worker_refuses_is_declined_for_good() -> None:
    async with node() as here:
        here.opens = EdgeRefusal("wrong_policy", "another catalogue")
        assert (await here.refused()).status == 603


async def test_a_trunk_with_as_many_calls_as_it_may_have_is_busy() -> None:
    async with node(max_calls=1) as here:
        call = here.dial()
        await here.wires.until(lambda: call.session.state == "confirmed")
        assert (await here.refused()).status == 486
        here.line.says.put_nowait(WorkerEnded(reason="completed"))
        await here.wires.until(lambda: call.end is not None)


async def test_a_caller_who_gives_up_while_the_law_is_asked_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with node() as here:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def ask(wanted: NodeRouteRequest) -> RouteResponse | Unrouted:
            asked.set()
            await answer.wait()
            return cast(RouteResponse, None)

        monkeypatch.setattr(here, "ask", ask)
        call = here.dial()
        await here.wires.until(asked.is_set)
        call.session.cancel()
        here.wires.net.run(1.0)
        answer.set()
        await here.wires.until(lambda: here.access.calls == 0)
        assert here.opened == []
