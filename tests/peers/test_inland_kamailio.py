"""Inland behind Kamailio, which stays in the path of every call: nothing inside a dialog may miss
it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from inland.bench.private_node import REGION
from tests.peers import answerers, callers
from tests.peers.agents import write_agent
from tests.peers.baresip import Account, Baresip
from tests.peers.kamailio import Kamailio
from tests.peers.node import PhoneNode, number, phone_node, trunk
from tests.peers.ordering import customer
from tests.peers.scenarios import Scenario
from tests.peers.sipp import Sipp

pytestmark = pytest.mark.asyncio(loop_scope="module")

Transport = Literal["udp", "tcp"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")
SILENCE = {"seconds": 2, "reprompts": 0}
"""So the agent hangs up on who says nothing."""
_COUNTED = ("routed ACK", "routed BYE", "routed INVITE", "strayed")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kamailio]:
    """It takes the node's calls out."""
    async with Kamailio(tmp_path_factory.mktemp("proxy")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, proxy: Kamailio
) -> AsyncIterator[PhoneNode]:
    """A node whose trunks are the proxy; ``clinic-tcp`` is dialled where it is reached over TCP."""
    folder = tmp_path_factory.mktemp("node")
    trunks = [trunk()]
    for transport in TRANSPORTS:
        address = f"sip:127.0.0.1:{proxy.port};transport={transport}"
        trunks.append({"name": transport, "address": address, "routes": [REGION]})
    agents = write_agent(folder / "agents", silence=SILENCE)
    async with phone_node(
        folder,
        edge={"agents": str(agents)},
        trunks=trunks,
        numbers=[number(f"clinic-{transport}") for transport in TRANSPORTS],
    ) as found:
        yield found
    assert found.faults() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(
    tmp_path_factory: pytest.TempPathFactory, node: PhoneNode
) -> AsyncIterator[Kamailio]:
    """A proxy that brings calls to the node."""
    routes = {
        f"clinic-{transport}": f"sip:{node.at};transport={transport}" for transport in TRANSPORTS
    }
    async with Kamailio(tmp_path_factory.mktemp("front"), routes=routes) as found:
        yield found


class Routed:
    """What a proxy has been given inside dialogs since this was made."""

    def __init__(self, proxy: Kamailio) -> None:
        self._proxy = proxy
        self._before = {what: proxy.count(what) for what in _COUNTED}

    def __call__(self, what: str) -> int:
        return self._proxy.count(what) - self._before[what]

    async def until(self, what: str, times: int) -> None:
        """Wait for it to have come so often."""
        await self._proxy.logged(what, self._before[what] + times)

    def wholly(self, acks: int = 1) -> bool:
        """Whether every ACK and the one BYE came by, and nothing strayed."""
        return (self("routed ACK"), self("routed BYE"), self("strayed")) == (acks, 1, 0)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [callers.talks(0.5), callers.waits_for_bye()])
async def test_a_call_in_stays_on_its_route_whoever_ends_it(
    front: Kamailio, tmp_path: Path, transport: Transport, scenario: Scenario
) -> None:
    routed = Routed(front)
    at, user = f"127.0.0.1:{front.port}", f"clinic-{transport}"
    async with Sipp(tmp_path, scenario, at, service=user, transport=transport) as caller:
        counts = await caller.finished()
    assert counts.successes == 1
    assert routed.wholly(), front.output[-2000:]
    assert caller.messages.count(f"Record-Route: <sip:127.0.0.1:{front.port}") >= 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [answerers.answers(), answerers.hangs_up(0.5)])
async def test_a_call_out_stays_on_its_route_whoever_ends_it(
    node: PhoneNode, proxy: Kamailio, tmp_path: Path, transport: Transport, scenario: Scenario
) -> None:
    routed = Routed(proxy)
    async with (
        Sipp(tmp_path, scenario, transport=transport) as called,
        customer(node) as orders,
    ):
        call = await orders.order(f"{called.uri};transport={transport}", trunk=transport)
        await call.stage("answered")
        if scenario.name == "answers":
            await call.hang_up()
        assert (await call.ended())["outcome"] == "completed"
        await called.finished()
    assert routed.wholly(), proxy.output[-2000:]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_hold_and_resume_stay_on_the_route(
    front: Kamailio, tmp_path: Path, transport: Transport
) -> None:
    routed = Routed(front)
    account = Account(
        transport=transport, proxy=f"sip:127.0.0.1:{front.port};transport={transport}"
    )
    async with Baresip(tmp_path, account) as phone:
        await phone.dial(f"sip:clinic-{transport}@127.0.0.1:{front.port};transport={transport}")
        await phone.event("CALL_ESTABLISHED")
        for number, act in enumerate((phone.hold, phone.resume, phone.hang_up), 1):
            await routed.until("routed ACK", number)
            await act()
        await routed.until("routed BYE", 1)
    assert routed("routed INVITE") == 2
    assert routed.wholly(acks=3), front.output[-2000:]
