"""What conversations in tests need: an agent, a clinic on loopback, words in and acts out."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.dialog.agent import AgentSpec, load_agents
from edge.dialog.build import build_conductor
from edge.dialog.conductor import Conductor
from edge.dialog.tools import ToolLedger
from edge.events import Act, Heard, Say, ToolReturned
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from inland.clinic.service import create_app
from regions.models import DataClass
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger

AGENTS = Path(__file__).parents[2] / "inland" / "demo" / "agents"
TODAY = dt.date(2026, 11, 21)
"""A Saturday."""
NOW = dt.datetime(2026, 11, 21, 9, 0)
SESSION = "s_test"


def heard(text: str, *, understood: bool = True) -> Heard:
    return Heard(text, understood, 1.0, 0.0, 0.0, 0.0, 0.0)


def agent(name: str) -> AgentSpec:
    return load_agents(AGENTS)[name]


async def acts_of(iterator: AsyncIterator[Act]) -> list[Act]:
    return [act async for act in iterator]


def words(acts: list[Act]) -> str:
    return " ".join(act.text for act in acts if isinstance(act, Say))


def results(acts: list[Act]) -> list[ToolReturned]:
    return [act for act in acts if isinstance(act, ToolReturned)]


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The address of ``app`` on loopback. Handlers are cancelled when their client goes."""
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


class Desk:
    """One agent with the real clinic behind it; conductors can come and go."""

    def __init__(self, spec: AgentSpec, url: str, outbound: Outbound) -> None:
        self.spec = spec
        self.url = url
        self.outbound = outbound
        self.ledger = FakeLedger()

    def conductor(self, ledger: ToolLedger | None = None) -> Conductor:
        return build_conductor(
            self.spec,
            session_id=SESSION,
            today=lambda: TODAY,
            outbound=self.outbound,
            ledger=ledger or self.ledger,
            environ={"CLINIC_BOOKING_URL": self.url},
        )

    async def say(self, conductor: Conductor, *lines: str, first: int = 2) -> list[list[Act]]:
        """Each line is one turn; returns the acts of each."""
        return [
            await acts_of(conductor.respond(heard(line), turn))
            for turn, line in enumerate(lines, first)
        ]


@asynccontextmanager
async def desk(name: str, database: Path | str = ":memory:") -> AsyncIterator[Desk]:
    async with serving(create_app(database, lambda: NOW)) as url, Pool() as pool:
        allowed = {DataClass.VARIABLES: ["eu-central-1"], DataClass.TRANSCRIPT: ["eu-central-1"]}
        outbound = Outbound(
            here="eu-central-1", allowed=allowed, pool=pool, ledger=Ledger(FakeClock())
        )
        yield Desk(agent(name), url, outbound)
