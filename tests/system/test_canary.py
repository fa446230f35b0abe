"""Nothing of a caller is in what a node writes: logs, metrics, crashes, its processes' facts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest
import yaml

from edge.transport.sip.core.events import Ended
from inland.demo.phone import phone_section
from inland.demo.ports import free_ports
from tests.fakes.canary import Canaries, Leak
from tests.fakes.spilling import SPILL
from tests.system.line import Exchange, Line, exchange
from tests.system.phone import Caller, desk_phone
from tests.system.test_sibling_node import EU, Sibling, sibling
from tests.system.world import (
    END_SECONDS,
    READY_SECONDS,
    World,
    breakable_demo,
    children,
    until,
)

pytestmark = pytest.mark.system

WORD = "Quarzfenster"
CODE = "738164902"
NUMBER = "+493023125789"
"""Kept free for films, as the demo's (Bundesnetzagentur, notice 148/2021)."""
ADDRESS = "127.83.62.41"
CANARIES = Canaries(
    {"word": WORD, "code": CODE, "number": NUMBER.removeprefix("+"), "address": ADDRESS}
)
AGENT = {
    "id": "clinic-reception",
    "version": 1,
    "greeting": "Hello.",
    "flow": {
        "intents": [
            {
                "id": "visit",
                "title": "arrange a visit",
                "examples": ["arrange a visit"],
                "slots": [
                    {"id": "surname", "kind": "name", "label": "name", "ask": "What name?"},
                    {
                        "id": "code",
                        "kind": "digits",
                        "label": "code",
                        "ask": "Which code?",
                        "least": len(CODE),
                        "most": len(CODE),
                    },
                ],
                "confirm": "{surname}, code {code}. Is that right?",
                "tool": "spill",
                "success": "Done.",
            }
        ]
    },
    "tools": [{"name": "spill", "kind": "python", "call": "tests.fakes.spilling:spill"}],
}


@dataclass
class Node:
    """A node at its most talkative, with everything that it has written so far."""

    world: World
    sibling: Sibling
    callers: Exchange
    phone: str
    said: dict[str, bytes] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.world.data / "logs" / "sibling.log"

    @property
    def processes(self) -> list[psutil.Process]:
        dispatcher = psutil.Process(self.sibling.process.pid)
        return [dispatcher, *dispatcher.children(recursive=True)]

    def leaks(self) -> dict[str, list[Leak]]:
        """What was found, by where; the log is read anew."""
        said = self.said | {"log": self.log.read_bytes()}
        return {where: found for where, data in said.items() if (found := CANARIES.leaks(data))}

    def look(self) -> None:
        """Keep what can be seen of the processes from outside; none of them may be dumped."""
        for process in self.processes:
            assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)
            assert Path(f"/proc/{process.pid}/coredump_filter").read_text().strip() == "0" * 8
            for fact in ("cmdline", "environ"):
                data = Path(f"/proc/{process.pid}/{fact}").read_bytes()
                self.said[f"{fact} of {process.pid}"] = data

    def has_said(self, *words: str) -> Callable[[], Awaitable[bool]]:
        async def said() -> bool:
            log = await asyncio.to_thread(self.log.read_text)
            return all(each in log for each in words)

        return said

    async def read_metrics(self) -> None:
        async with self.callers.http.get(f"{self.sibling.url}/metrics") as answer:
            self.said["metrics"] = await answer.read()
            assert b"inland_calls_active" in self.said["metrics"]


@asynccontextmanager
async def talkative(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, spill: bool
) -> AsyncIterator[Node]:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    if spill:
        monkeypatch.setenv(SPILL, "1")
    agents = folder / "agents"
    agents.mkdir()
    (agents / "agent.yaml").write_text(yaml.safe_dump(AGENT))
    (port,) = free_ports(1)
    sip = phone_section(EU, {EU: port})["sip"]
    assert isinstance(sip, dict)
    sip["media_ports"] = [26_000, 27_999]
    async with (
        breakable_demo(folder / "data", workers=1, regions=(EU,)) as world,
        sibling(world, log_level="debug", agents=str(agents), sip=sip) as there,
        exchange(world) as callers,
    ):

        async def ready() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with callers.http.get(there.url + "/readyz") as answer:
                    return answer.status == 200
            return False

        await until(ready, READY_SECONDS)
        yield Node(world, there, callers, f"sip:clinic-caller@127.0.0.1:{port}")


async def talks(node: Node) -> Line:
    """A caller who says the canaries, and whose tool breaks with them."""
    _, token = await node.callers.route("DE")
    line = await node.callers.dial(node.sibling.url, token)
    await line.answered()
    for words in (f"{WORD} makes no sense to a clinic", "arrange a visit", WORD, CODE):
        line.type(words)
        await line.answered()
    line.type("yes")
    await line.event("inland.tool.result", ok=False)
    await line.answered()
    return line


async def knocks(node: Node) -> None:
    """Bad requests from the canary's address, with canaries wherever there is room."""
    connector = aiohttp.TCPConnector(local_addr=(ADDRESS, 0))
    async with aiohttp.ClientSession(connector=connector) as http:
        base = f"{node.sibling.url}/v1/realtime/calls"
        headers = {
            "X-Forwarded-For": ADDRESS,
            "User-Agent": WORD,
            "Authorization": f"Bearer {WORD}",
            "Content-Type": "application/sdp",
        }
        for path in (f"/{WORD}", f"/rtc_w0_{CODE}", f"?token={WORD}"):
            for method in ("POST", "PATCH", "DELETE", "GET"):
                async with http.request(method, base + path, data=WORD, headers=headers) as answer:
                    assert answer.status >= 400


async def telephones(node: Node) -> Ended:
    """A phone call from the canary's number and address, until the agent has spoken."""
    async with desk_phone(host=ADDRESS) as desk:
        caller = Caller(desk.dial(node.phone, user=NUMBER))
        await caller.answered()
        await caller.hears()
        return await caller.hangs_up()


async def is_strange(node: Node) -> None:
    """SIP that is none, from the canary's address."""
    port = int(node.phone.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((ADDRESS, 0))
        for text in (f"INVITE {NUMBER} {WORD}", f"OPTIONS sip:{WORD}@x SIP/2.0\r\nVia: {CODE}"):
            stranger.sendto(text.encode(), ("127.0.0.1", port))


async def crashes(node: Node) -> None:
    """Every child ends by a signal that would dump it, in the middle of a call."""
    dispatcher = psutil.Process(node.sibling.process.pid)
    doomed = [*children(dispatcher, "edge.worker_main")]
    doomed += children(dispatcher, "edge.speech.voices.worker")
    assert len(doomed) == 2
    for each in doomed:
        each.send_signal(signal.SIGABRT)
    await asyncio.to_thread(psutil.wait_procs, doomed, END_SECONDS)


@pytest.fixture
def cores() -> Iterator[list[Path]]:
    """Files that a crash left in the folder that the programs run in."""
    before, found = set(Path.cwd().glob("core*")), list[Path]()
    yield found
    found += set(Path.cwd().glob("core*")) - before
    assert found == []


async def test_nothing_of_a_caller_is_in_what_a_node_writes_or_leaves_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: list[Path]
) -> None:
    async with talkative(tmp_path, monkeypatch, spill=False) as node:
        await knocks(node)
        await is_strange(node)
        assert (await telephones(node)).cause == "local_bye"
        line = await talks(node)
        node.look()
        await node.read_metrics()
        await crashes(node)
        # What was made to happen, each a chance to write a canary down.
        await until(node.has_said("tool broke", "Fatal Python error: Aborted", "worker ended"))
        assert node.leaks() == {}
        assert not await node.has_said("do not explain")(), "a call goes where the settings say"
        await node.callers.drop(line)


async def test_the_same_search_finds_what_a_tool_spills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talkative(tmp_path, monkeypatch, spill=True) as node:
        line = await talks(node)
        node.said["metrics"] = f'inland_calls_total{{reason="{WORD}"}} 1'.encode()
        node.said["environ"] = b"A=b\0LAST=" + NUMBER.encode()
        node.said["cmdline"] = b"python\0" + ADDRESS.encode("utf-16-le")
        found = {where: {leak.canary for leak in leaks} for where, leaks in node.leaks().items()}
        assert found == {
            "log": {"code"},
            "metrics": {"word"},
            "environ": {"number"},
            "cmdline": {"address"},
        }
        await node.callers.drop(line)
        assert os.environ[SPILL]
