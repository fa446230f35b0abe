"""``inland fleet`` as processes: systemd's and the journal's commands are scripts of the test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from edge.session.keys import new_key_file
from edge.settings import load_settings
from infra.cloud_init.document import NodeDocument
from inland.fleet.agent import shipped_units, trade_of
from tests.fakes.autoscaling import FakeAutoScaling
from tests.fakes.imds import FakeImds
from tests.fakes.scripted_edge import serve
from tests.inland.fleet.cloud import Operator
from tests.inland.fleet.documents import CONTROL_PLANE, EDGE, INSTANCE, MACHINE, TURN, document
from tests.inland.fleet.stage import DRAIN, LAUNCH, NAME
from tests.inland.fleet.test_measures import workers

GROUP = "/inland/eu-central-1/node"
AUDIT_GROUP = "/inland/eu-central-1/audit"
SECONDS = 120


@dataclass
class Host:
    """A machine with scripts for systemctl and journalctl, and a service of the test's."""

    folder: Path
    operator: Operator
    api: FakeAutoScaling
    imds: FakeImds
    document: NodeDocument
    zone: str
    ready: bool = True

    def unit_is(self, state: str) -> None:
        """What systemctl says from now on."""
        (self.folder / "unit").write_text(state)

    @asynccontextmanager
    async def process(self, action: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """``inland fleet ACTION``; killed at the end if it still runs."""
        told = self.folder / "node.json"
        told.write_text(self.document.model_dump_json())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inland", "fleet", action, "--document", str(told)),
            *("--run", str(self.folder / "run"), "--site", str(self.folder / "site")),
            *("--state", str(self.folder)),
            env=os.environ | {"PATH": f"{self.folder}:/usr/bin:/bin"},
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def lifecycle(self, *results: tuple[str, str]) -> None:
        """Returns when the group was told so."""
        await self._until(lambda: self.api.results == [*results])

    async def beaten(self, hook: str) -> None:
        """Returns when a heartbeat of the hook came."""
        await self._until(lambda: self.api.beats[hook] > 0)

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not done():
                await self.api.called.wait()
                self.api.called.clear()


@pytest.fixture
async def host(operator: Operator, tmp_path: Path) -> AsyncIterator[Host]:
    journal = {
        "_SYSTEMD_UNIT": "inland-edge.service",
        "__REALTIME_TIMESTAMP": str(int(time.time() * 1e6)),
        "__CURSOR": "c1",
        "MESSAGE": json.dumps(
            {"at": 1.0, "level": "info", "logger": "edge.node", "message": "hello"}
        ),
    }
    scripts = {
        "systemctl": f"#!/bin/sh\ncat {tmp_path}/unit\n",
        "journalctl": f"#!/bin/sh\necho '{json.dumps(journal)}'\nexec sleep 1000\n",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for group in (GROUP, AUDIT_GROUP):
        operator.client("logs").create_log_group(logGroupName=group)

    async def readyz(request: web.Request) -> web.Response:
        return web.Response(status=200 if found.ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=workers(2))

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner, url = await serve(app)
    try:
        async with (
            FakeAutoScaling(LAUNCH, api=operator.url) as api,
            FakeImds(api=api.url) as imds,
        ):
            zone = operator.zone("eu.voice.example.org")
            told = document(endpoint=imds.url).model_copy(
                update={"zone_id": zone, "health_port": int(url.rpartition(":")[2])}
            )
            found = Host(tmp_path, operator, api, imds, told, zone)
            found.unit_is("active")
            yield found
    finally:
        await runner.cleanup()


async def test_an_agent_puts_its_node_into_service_ships_its_lines_and_ends_when_asked(
    host: Host,
) -> None:
    (host.folder / "audit.jsonl").write_text('{"n": 1}\n')
    (host.folder / "audit.heads").write_text("signed\n")
    async with host.process("agent") as agent:
        await host.lifecycle((LAUNCH, "CONTINUE"))
        assert host.operator.addresses(host.zone) == {NAME: [MACHINE.public_ipv4]}
        agent.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            _, said = await agent.communicate()
    assert agent.returncode == 0
    assert all(json.loads(line)["level"] == "info" for line in said.splitlines()), said.decode()
    events = host.operator.client("logs").get_log_events(
        logGroupName=GROUP, logStreamName=f"{INSTANCE}/inland-edge", startFromHead=True
    )["events"]
    assert [json.loads(event["message"])["message"] for event in events] == ["hello"]
    assert (host.folder / "run" / "journal-cursor").read_text() == "c1"
    for stream, line in (("audit", '{"n": 1}'), ("heads", "signed")):
        events = host.operator.client("logs").get_log_events(
            logGroupName=AUDIT_GROUP, logStreamName=f"{INSTANCE}/{stream}", startFromHead=True
        )["events"]
        assert [event["message"] for event in events] == [line]


async def test_an_agent_killed_in_mid_drain_is_followed_by_one_that_goes_on(host: Host) -> None:
    host.imds.machine.target_lifecycle_state = "Terminated"
    host.api.waiting.add(DRAIN)
    drain = host.folder / "run" / "drain"
    async with host.process("agent") as agent:
        await host.beaten(DRAIN)
        assert drain.exists()
        agent.kill()
        await agent.wait()
    host.unit_is("deactivating")
    drain.unlink()
    host.api.beats.clear()
    async with host.process("agent"):
        await host.beaten(DRAIN)
        assert host.api.results == [] and not drain.exists()
        host.unit_is("inactive")
        await host.lifecycle((DRAIN, "CONTINUE"))


async def test_an_agent_ends_promptly_while_the_metadata_are_away(host: Host) -> None:
    host.imds.failing = 500
    async with host.process("agent") as agent:
        assert agent.stderr is not None
        line = await asyncio.wait_for(agent.stderr.readline(), SECONDS)
        assert json.loads(line)["code"] == "MetadataAway"
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.wait(), SECONDS) == 0


async def test_prepare_as_a_process_writes_an_edge_that_loads(host: Host) -> None:
    (host.folder / "site" / "agents").mkdir(parents=True)
    host.operator.supply(EDGE.node_secret, "n0de-secret-n0de-secret")
    host.operator.supply(EDGE.region_key, new_key_file("eu-central-1"))
    arn = host.operator.certificate("eu.voice.example.org")
    role = EDGE.model_copy(update={"certificate": arn})
    host.document = host.document.model_copy(update={"role": role})
    async with host.process("prepare") as prepare:
        _, said = await asyncio.wait_for(prepare.communicate(), SECONDS)
    assert prepare.returncode == 0, said.decode()
    assert b"n0de-secret" not in said
    assert load_settings(host.folder / "run" / "edge.yaml").region == "eu-central-1"


async def test_prepare_says_in_words_what_is_wrong_and_exits_with_2(host: Host) -> None:
    host.imds.machine.region = "us-east-1"
    async with host.process("prepare") as prepare:
        _, said = await asyncio.wait_for(prepare.communicate(), SECONDS)
    assert prepare.returncode == 2
    assert said.decode().startswith("inland fleet: this machine stands in us-east-1")


def test_relays_and_control_planes_need_no_package_of_the_edge() -> None:
    ours = "prepare, agent, turn_conf, control_plane_files"
    code = f"import sys; from inland.fleet import {ours}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    loaded = {name.partition(".")[0] for name in said.stdout.split()}
    assert "boto3" in loaded
    assert not loaded & {"aiortc", "av", "numpy", "onnxruntime", "pocketsphinx", "redis", "pulumi"}


def test_each_role_has_the_service_that_its_units_name() -> None:
    from infra.cloud_init.user_data import user_data

    for role in (EDGE, TURN, CONTROL_PLANE):
        told = document(role)
        service = trade_of(told).service
        assert f"path: /etc/systemd/system/{service}" in user_data(told, "arm64")
        assert shipped_units(trade_of(told))[0] == service


def test_only_nodes_with_calls_are_named_counted_and_only_relays_wait() -> None:
    edge, turn, plane = (trade_of(document(role)) for role in (EDGE, TURN, CONTROL_PLANE))
    assert (edge.counted, turn.counted, plane.counted) == (True, False, False)
    assert (edge.plan.named, turn.plan.named, plane.plan.named) == (True, False, False)
    assert (edge.plan.waits, turn.plan.waits, plane.plan.waits) == (False, True, False)
