"""The phone of a node put together, on sockets of this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from control_plane.contract import NodeRouteRequest, RouteResponse
from edge.clock import SystemClock
from edge.jwks import KeyCache
from edge.phone import switchboard
from edge.phone.dispatcher_line import DispatcherLine
from edge.phone.logins import Logins
from edge.phone.orders import CallOrder
from edge.phone.placement import Unrouted
from edge.phone.settings import PhoneSettings
from edge.phone.switchboard import PhoneParts, Switchboard
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.tenancy import Tenancy
from edge.transport.sip.core.events import Ended
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.wire.digest import Credentials
from inland.phone.telephone import Telephone, telephone
from regions.catalogue import load_catalogue
from tests.edge.phone.parts import NUMBER, number
from tests.edge.phone.test_callee import order as token
from tests.edge.phone.test_placement import routed
from tests.fakes.law import in_force
from tests.peers.program import free_ports

HOST = "127.0.0.1"


class FakePool:
    """No worker, unless a test says that there is room."""

    serving: tuple[SimpleNamespace, ...] = ()


class FakeRouter:
    """No region is known to be allowed, unless a test says so."""

    answer: RouteResponse | Unrouted = Unrouted("unreachable")

    def __init__(self) -> None:
        self.asked: list[NodeRouteRequest] = []

    async def ask(self, wanted: NodeRouteRequest) -> RouteResponse | Unrouted:
        self.asked.append(wanted)
        return self.answer


class Board:
    """A switchboard whose one trunk is ``phone``."""

    def __init__(self, phone: Telephone, folder: Path, *trunks: str, **sip: Any) -> None:
        self.port = free_ports(1)
        self.draining = False
        self.router = FakeRouter()
        settings = PhoneSettings.model_validate(
            {
                "listen": [f"udp://{HOST}:{self.port}"],
                "trunks": [
                    {
                        "name": "pbx",
                        "address": phone.address().replace("caller@", ""),
                        "networks": [f"{HOST}/32"],
                        "routes": ["eu-central-1"],
                    },
                    *(
                        {"name": name, "address": "sip:127.0.0.2:9", "routes": ["eu-central-1"]}
                        for name in trunks
                    ),
                ],
                "numbers": [number(NUMBER)],
                **sip,
            }
        )
        node = NodeSettings(
            node="n",
            region="eu-central-1",
            data=folder,
            agents=folder,
            control_planes=("http://127.0.0.1:9",),
        )
        parts = PhoneParts(
            settings=node,
            phone=settings,
            logins=Logins({}, {}, {"extension": Credentials("201", "secret")}),
            law=in_force(load_catalogue()),
            tenancy=Tenancy.of(node),
            pool=cast(WorkerPool, FakePool()),
            keys=KeyCache(()),
            router=self.router,
            clock=SystemClock(),
            draining=lambda: self.draining,
        )
        self.switchboard = Switchboard(parts)

    def metric(self, name: str) -> float:
        """Its value; 0 before it has one."""
        text = generate_latest(self.switchboard.metrics.registry).decode()
        values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, values))


@asynccontextmanager
async def board(folder: Path, *trunks: str, **sip: Any) -> AsyncIterator[tuple[Board, Telephone]]:
    policy = MediaPolicy(codecs=("pcmu",))
    async with (
        asyncio.timeout(60),
        telephone(host=HOST, policy=policy, clock=SystemClock()) as phone,
    ):
        found = Board(phone, folder, *trunks, **sip)
        await found.switchboard.start()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(found.switchboard.run())
            yield found, phone
            await found.switchboard.close()
            await serving


async def until(true: Callable[[], bool]) -> None:
    """Let tasks and sockets run until it holds."""
    while not true():  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0.005)


async def refused(board: Board, phone: Telephone, user: str) -> Ended:
    return await phone.dial(f"sip:{user}@{HOST}:{board.port}").over()


async def test_a_trunk_that_answers_is_up_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    async with board(tmp_path) as (node, _):
        await until(lambda: node.metric("inland_phone_trunk_up") == 1.0)
    assert node.metric("inland_phone_sessions") == 0.0


async def test_calls_come_through_screen_plan_and_law(tmp_path: Path) -> None:
    async with board(tmp_path) as (node, phone):
        assert (await refused(node, phone, "+4930999")).status == 404
        assert not node.router.asked
        assert (await refused(node, phone, NUMBER)).status == 603
        assert len(node.router.asked) == 1


async def test_a_call_that_breaks_is_ended_and_the_next_one_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with board(tmp_path) as (node, phone):

        async def break_down(wanted: NodeRouteRequest) -> RouteResponse | Unrouted:
            raise RuntimeError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(node.router, "ask", break_down)
            assert (await refused(node, phone, NUMBER)).status == 603
        assert "phone call broke" in caplog.text
        assert (await refused(node, phone, NUMBER)).status == 603
        assert len(node.router.asked) == 1


async def test_a_registration_that_fails_at_once_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    entry = {
        "name": "extension",
        "trunk": "pbx",
        "username": "201",
        "password_env": "P",
        "tenant": "demo-clinic",
        "agent": "clinic-reception",
        "country": "DE",
    }

    def told() -> list[Any]:
        records = [record for record in caplog.records if record.msg == "registration changed"]
        return [record.__dict__["state"] for record in records]

    # A telephone is no registrar.
    async with board(tmp_path, registrations=[entry]) as (node, _):
        await until(lambda: bool(told()))
        assert node.metric("inland_phone_registered") == 0.0
    assert told() == ["down"]


async def test_orders_wait_for_the_phone_and_end_with_a_drain(tmp_path: Path) -> None:
    async with board(tmp_path) as (node, _):
        order = CallOrder(to="+4969123456")
        node.draining = True
        with pytest.raises(EdgeRefusal, match="draining"):
            await node.switchboard.dial(token(), order)
        node.draining = False
        with pytest.raises(EdgeRefusal, match="bad_token"):
            node.switchboard.admit("no token")
        node.switchboard.hang_up("sip_w0_unknown")
    with pytest.raises(EdgeRefusal, match="not_ready"):
        await node.switchboard.dial(token(), order)


async def test_a_worker_is_told_through_which_trunk_a_call_comes_or_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def open_line(*_: object, trunk: str, **__: object) -> DispatcherLine:
        told.append(trunk)
        raise EdgeRefusal("not_ready", "nobody is there")

    monkeypatch.setattr(switchboard, "open_line", open_line)
    monkeypatch.setattr(switchboard, "hold_to_law", lambda *_, **__: routed("eu-central-1"))
    monkeypatch.setattr(FakeRouter, "answer", cast(RouteResponse, None))  # ruled on just above
    monkeypatch.setattr(FakePool, "serving", (SimpleNamespace(free=1),))
    async with board(tmp_path, "carrier-a") as (node, phone):
        await refused(node, phone, NUMBER)
        for name in ("carrier-a", "pbx"):
            with pytest.raises(EdgeRefusal, match="nobody is there"):
                await node.switchboard.dial(token(), CallOrder(to=NUMBER, trunk=name))
    assert told == ["pbx", "carrier-a", "pbx"]
