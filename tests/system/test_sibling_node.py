"""Two nodes of one region share its store and its key: either can go on where the other died."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest
import yaml

from inland.demo.ports import free_ports
from tests.system.line import exchange
from tests.system.test_conversation_survives import WISH, resumed, until_confirmation
from tests.system.world import (
    END_SECONDS,
    INLAND,
    READY_SECONDS,
    World,
    address,
    breakable_demo,
    quiet_environment,
    until,
)

pytestmark = pytest.mark.system

EU = "eu-central-1"
SIBLING = "eu-central-1-b"


@dataclass(frozen=True, slots=True)
class Sibling:
    url: str
    process: asyncio.subprocess.Process

    def kill(self) -> None:
        """``kill -9`` of the whole node: dispatcher, worker and voice at once."""
        dispatcher = psutil.Process(self.process.pid)
        for each in [dispatcher, *dispatcher.children(recursive=True)]:
            each.kill()


@asynccontextmanager
async def sibling(world: World, **changes: object) -> AsyncIterator[Sibling]:
    """A second node of the region: its own port and name, the same store, key and agents, unless
    ``changes`` of its settings say otherwise."""
    settings = yaml.safe_load((world.data / EU / "edge.yaml").read_text())
    settings.pop("sip")  # its ports are the first node's
    (port,) = free_ports(1)
    config = world.data / "sibling.yaml"
    config.write_text(yaml.safe_dump(settings | {"node": SIBLING, "port": port} | changes))
    secrets = {"INLAND_NODE_SECRET": world.secrets[EU], "CLINIC_BOOKING_URL": world.clinics[EU]}
    with (world.data / "logs" / "sibling.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *INLAND, "edge", "--config", str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=quiet_environment() | secrets,
        )  # fmt: skip
    try:
        yield Sibling(address(port), process)
    finally:
        if process.returncode is None:
            os.kill(process.pid, 15)
        await asyncio.wait_for(process.wait(), END_SECONDS)


async def test_conversation_goes_on_at_the_sibling_when_a_whole_node_is_killed(
    tmp_path: Path,
) -> None:
    async with (
        breakable_demo(tmp_path / "data", workers=1, regions=(EU,)) as world,
        sibling(world) as doomed,
        exchange(world) as callers,
    ):

        async def ready() -> bool:
            try:
                async with callers.http.get(doomed.url + "/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, READY_SECONDS)
        _, token = await callers.route("DE")
        line = await callers.dial(doomed.url, token)
        assert line.session["inland"]["node"] == SIBLING
        await until_confirmation(line)
        doomed.kill()
        again = await resumed(callers, world.edges[EU], line.resume_token)
        facts = again.session["inland"]
        assert facts["resumed"]
        assert facts["node"] != SIBLING
        assert [turn["caller"] for turn in facts["turns"] if turn["caller"]] == [*WISH]
        again.type("yes")
        result = await again.event("inland.tool.result")
        assert result["ok"], "what was said at the dead node was enough to book"
        assert len(await world.appointments(EU)) == 1
        await callers.drop(again)
