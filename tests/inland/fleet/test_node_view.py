"""How the agent sees the service beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from inland.fleet.lifecycle import Unit
from inland.fleet.node_view import HttpNode, RelayNode, count_relays, unit_state
from tests.fakes.scripted_edge import serve
from tests.inland.fleet.test_measures import workers

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
 3508: 0A00140A:C032 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
 3509: 0A00140A:C032 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 2 2 0 0
 3510: 0A00140A:C063 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3 2 0 0
 6936: 0A00140A:0D96 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4 2 0 0
"""


async def test_a_node_is_ready_and_measured_by_its_health_port() -> None:
    status = 503

    async def readyz(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=workers(2, 3))

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner, url = await serve(app)
    try:
        async with ClientSession() as http:
            node = HttpNode(http, int(url.rpartition(":")[2]))
            assert not await node.ready()
            status = 200
            assert await node.ready()
            reading = await node.reading()
            assert reading is not None and reading.active == 5
    finally:
        await runner.cleanup()


async def test_a_node_that_is_away_is_not_ready_and_not_known() -> None:
    async with ClientSession() as http:
        node = HttpNode(http, 9)
        assert not await node.ready()
        assert await node.reading() is None


def test_each_relay_port_with_a_socket_is_one_allocation() -> None:
    assert count_relays(TABLE, (49_152, 49_251)) == 2
    assert count_relays(TABLE, (49_152, 49_200)) == 0


async def test_a_relay_is_ready_when_it_takes_connections(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    table = tmp_path / "udp"
    table.write_text(TABLE)
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    async with server:
        relay = RelayNode(address, (49_152, 49_251), table)
        assert await relay.ready()
        reading = await relay.reading()
        assert reading is not None and reading.active == 2
    assert not await relay.ready()


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("active", Unit.RUNNING),
        ("activating", Unit.RUNNING),
        ("deactivating", Unit.STOPPING),
        ("inactive", Unit.STOPPED),
        ("failed", Unit.STOPPED),
        ("", Unit.RUNNING),
    ],
)
async def test_a_unit_is_what_systemd_says_and_running_when_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, state: Unit
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$4" = inland-edge.service ] && echo {said}\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert await unit_state("inland-edge.service") is state


async def test_a_machine_without_systemd_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await unit_state("inland-edge.service") is Unit.RUNNING
