"""A node as a cloud machine starts it: HTTPS, a health port, sessions in Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

import inland.demo
from edge.session.keys import LocalKeyFile
from tests.edge.session.redis_server import redis_server
from tests.edge.transport.sip.net.certificates import Authority
from tests.peers.program import free_ports

AGENTS = Path(inland.demo.__file__).parent / "agents"
HANG_SECONDS = 60.0


@dataclass
class Running:
    http: aiohttp.ClientSession
    port: int
    health: int

    async def ready(self) -> tuple[int, dict[str, Any]]:
        async with self.http.get(f"http://127.0.0.1:{self.health}/readyz") as answer:
            return answer.status, await answer.json()

    async def until_store(self, answers: bool) -> None:
        while (await self.ready())[1]["checks"]["store"] is not answers:
            pass


@asynccontextmanager
async def node(folder: Path, **settings: Any) -> AsyncIterator[Running]:
    authority = Authority(folder)
    files = authority.issue("localhost")
    port = free_ports(2)
    health = port + 1
    LocalKeyFile.open(folder / "region.key", "eu-central-1")
    text = {
        "node": "eu-central-1-a",
        "region": "eu-central-1",
        "port": port,
        "tls": {"certificate": str(files.certificate), "key": str(files.key)},
        "health_port": health,
        "data": str(folder / "data"),
        "key_file": str(folder / "region.key"),
        "agents": str(AGENTS),
        "recognizer": "pocketsphinx",
        "control_planes": ["http://127.0.0.1:9"],
        "drain_seconds": 0,
        **settings,
    }
    (folder / "edge.yaml").write_text(json.dumps(text))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inland", "edge", "--config", str(folder / "edge.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"INLAND_NODE_SECRET": "s" * 32, "CLINIC_BOOKING_URL": "http://127.0.0.1"},
    )
    assert process.stdout is not None
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.path)))
    try:
        async with asyncio.timeout(HANG_SECONDS), aiohttp.ClientSession(connector=trust) as http:
            assert f"at https://127.0.0.1:{port}".encode() in await process.stdout.readline()
            yield Running(http, port, health)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_provisioned_node_serves_https_and_says_on_its_health_port_how_its_store_is(
    tmp_path: Path,
) -> None:
    with redis_server() as server:
        store = server.settings("clinic").model_dump(mode="json", exclude_none=True)
        async with node(tmp_path, store=store) as running:
            status, body = await running.ready()
            # Nobody is there to give it keys; the rest is.
            assert (status, body["checks"]) == (
                503,
                {
                    "workers": True,
                    "store": True,
                    "keys": False,
                    "policy": True,
                    "not_draining": True,
                },
            )
            base = f"https://localhost:{running.port}"
            async with running.http.get(f"{base}/metrics") as answer:
                assert answer.status == 404
            async with running.http.options(f"{base}/v1/realtime/calls") as answer:
                assert answer.status == 204
            async with running.http.get(f"http://127.0.0.1:{running.health}/metrics") as answer:
                assert "inland_calls_capacity" in await answer.text()
            server.kill()
            await running.until_store(False)
            server.start()
            await running.until_store(True)
        assert not (tmp_path / "data" / "sessions.sqlite").exists()
        assert not (tmp_path / "data" / "region.key").exists()
