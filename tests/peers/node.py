"""A node of Inland that takes phone calls: what the peers talk to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from edge.session.history import History
from inland.bench.private_node import REGION, Engines, private_node
from inland.caller.options import AGENT
from inland.demo.phone import TENANT, USER
from tests.peers.certificates import Certificates, make_certificates
from tests.peers.program import HOST, PATIENCE, free_ports, until
from tests.system.kept import is_over, kept, sessions
from tests.system.world import children, is_fault

CAPACITY = 60
"""Calls at once of a node, unless its test says otherwise."""
_COUNTS = (
    "inland_calls_active",
    "inland_phone_sessions",
    "inland_phone_transactions",
    "inland_phone_timers",
)


@dataclass(frozen=True, slots=True)
class PhoneNode:
    """One node, its control plane, and what both wrote."""

    edge: str
    control_plane: str
    port: int
    """UDP and TCP; TLS is at the one after it."""
    certificates: Certificates
    """Whom its callers over TLS trust."""
    folder: Path
    """Below it is its region's data."""
    logs: Path
    dispatcher: psutil.Process

    @property
    def at(self) -> str:
        """``host:port`` for sipp."""
        return f"{HOST}:{self.port}"

    def uri(self, user: str = USER, transport: str = "udp") -> str:
        """What a phone dials."""
        port = self.port + (transport == "tls")
        return f"sip:{user}@{HOST}:{port};transport={transport}"

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that hold the media."""
        return children(self.dispatcher, "edge.worker_main")

    @property
    def log(self) -> str:
        """Everything that the node's processes have logged."""
        return (self.logs / "edge.log").read_text()

    def faults(self) -> list[str]:
        """Log lines that no healthy run has."""
        return [line for line in self.log.splitlines() if is_fault(line)]

    async def metric(self, name: str, **labels: str) -> float:
        """A metric of the node, summed over what the labels leave open.

        A worker that is too busy to tell its own within a second is left out of the node's, so
        that they are asked for again while the metric is missing.
        """
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.edge}/metrics") as answer:
                    families = [*text_string_to_metric_families(await answer.text())]
                if any(name in (family.name, f"{family.name}_total") for family in families):
                    break
                await asyncio.sleep(0.1)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def nothing_left(self, within: float = 2 * PATIENCE, standing: int = 0) -> None:
        """Wait until no call, session, transaction or timer is left, but for the ``standing``
        timers of registrations and of trunks with an address. What a retransmission may still ask
        for is kept for 32 s (RFC 3261, timers H and J)."""
        deadline = asyncio.get_running_loop().time() + within
        allowed = {"inland_phone_timers": standing}
        while True:
            counts = {name: await self.metric(name) for name in _COUNTS}
            if all(count <= allowed.get(name, 0) for name, count in counts.items()):
                return
            assert asyncio.get_running_loop().time() < deadline, f"after {within} s: {counts}"
            await asyncio.sleep(0.1)

    async def counts(
        self, name: str, value: float, within: float = PATIENCE, **labels: str
    ) -> None:
        """Wait for a metric to have a value: they are gathered at most once a second."""
        deadline = asyncio.get_running_loop().time() + within
        while (count := await self.metric(name, **labels)) != value:
            assert asyncio.get_running_loop().time() < deadline, f"after {within} s: {count}"
            await asyncio.sleep(0.05)

    def sessions(self) -> list[str]:
        """Every session so far, in the order they began."""
        return sessions(self.log)

    async def session(self, before: list[str], within: float = PATIENCE) -> str:
        """The one that began after ``before`` was read."""

        def new() -> list[str]:
            return [session for session in self.sessions() if session not in before]

        await until(lambda: bool(new()), "a session", within)
        (found,) = new()
        return found

    async def journal(self, session: str, within: float = PATIENCE) -> History:
        """What was kept of a conversation, once it is over: reading takes it from its owner."""
        deadline = asyncio.get_running_loop().time() + within
        while not await is_over(self.folder, REGION, session):
            assert asyncio.get_running_loop().time() < deadline, f"not over within {within} s"
            await asyncio.sleep(0.05)
        return await kept(self.folder, REGION, session)


def trunk(**changes: object) -> dict[str, object]:
    """The trunk of everybody on this machine, with other settings."""
    return {
        "name": "desk",
        "networks": ["127.0.0.0/8"],
        "routes": [REGION],
        "calls_per_second": 100,
        **changes,
    }


def number(user: str = USER, **changes: object) -> dict[str, object]:
    """What is dialled."""
    return {"user": user, "country": "DE", "tenant": TENANT, "agent": AGENT, **changes}


def patient_agents(folder: Path) -> Path:
    """The demo's agents, who ask nobody for the sake of silence within a minute."""
    for source in Path(str(files("inland.demo") / "agents")).glob("*.yaml"):
        spec = yaml.safe_load(source.read_text())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / source.name).write_text(yaml.safe_dump({**spec, "silence": {"seconds": 60}}))
    return folder


@asynccontextmanager
async def phone_node(
    folder: Path,
    *,
    capacity: int = CAPACITY,
    passwords: Mapping[str, str] | None = None,
    edge: Mapping[str, object] | None = None,
    **sip: object,
) -> AsyncIterator[PhoneNode]:
    """A node of one worker on free ports.

    ``sip`` are settings of its section ``sip``, ``edge`` of its file beside that section,
    ``passwords`` are in its environment. By default everybody on this machine may dial the clinic.
    """
    certificates = make_certificates(folder / "certificates")
    port = free_ports(2)
    media = free_ports(2 * capacity)
    listen = [f"udp://{HOST}:{port}", f"tcp://{HOST}:{port}", f"tls://{HOST}:{port + 1}"]
    section = {
        "listen": listen,
        "public_uri": f"sip:{HOST}:{port}",
        "tls": {"certificate": str(certificates.chain), "key": str(certificates.key)},
        "media_ports": [media, media + 2 * capacity - 1],
        "trunks": [trunk()],
        "numbers": [number()],
        **sip,
    }

    def change(settings: dict[str, Any]) -> None:
        settings |= {"capacity": capacity, "sip": section, **(edge or {})}

    data = folder / "data"
    async with private_node(data, Engines(), change, passwords) as running:
        yield PhoneNode(
            edge=running.edge,
            control_plane=running.control_plane,
            port=port,
            certificates=certificates,
            folder=data,
            logs=running.logs,
            dispatcher=running.processes["dispatcher"],
        )
