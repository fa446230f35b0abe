"""A control plane on an ephemeral loopback port, with nodes that beat when a test says so."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from control_plane.contract import Heartbeat
from control_plane.server import Serving, serve
from control_plane.settings import Settings
from regions.catalogue import load_catalogue
from tests.fakes.clock import FakeClock

CATALOGUE = load_catalogue()
POLICY = CATALOGUE.policy
REGIONS = tuple(region.id for region in CATALOGUE.regions)
EEA = tuple(region.id for region in CATALOGUE.regions if region.jurisdiction == "eea")
OPERATOR = "operator-secret"
CLINIC = {"Authorization": "Bearer sk_demo_clinic_local_only"}
BANK = {"Authorization": "Bearer sk_demo_bank_local_only"}
BROWSER = {"Authorization": "Bearer pk_demo_clinic", "Origin": "http://127.0.0.1:8080"}
DEMO_TENANTS = Path(__file__).parents[2] / "inland" / "demo" / "tenants.yaml"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def node_secret(region: str) -> str:
    return f"node-secret-of-{region}"


def settings(folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "port": 0,
        "tenants": DEMO_TENANTS,
        "key_file": folder / "control-plane.key",
        "node_secrets": {region: sha256(node_secret(region)) for region in REGIONS},
        "operator_key": sha256(OPERATOR),
    }
    return Settings(**(values | changes))


def heartbeat(region: str = "eu-central-1", **changes: Any) -> Heartbeat:
    values: dict[str, Any] = {
        "node": f"{region}-a",
        "region": region,
        "url": "http://127.0.0.1:7101",
        "boot": "boot-one-1",
        "sequence": 1,
        "capacity": 10,
        "active": 0,
        "draining": False,
        "policy": POLICY,
        "version": "0.1.0",
    }
    return Heartbeat(**(values | changes))


@asynccontextmanager
async def serving(
    wanted: Settings, clock: FakeClock | None = None, reload: asyncio.Event | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose paths lead to a control plane with ``wanted``; stopped at the end. Setting
    ``reload`` is what SIGHUP does."""
    stop = asyncio.Event()
    ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(
            serve(
                wanted,
                stop,
                clock=clock or FakeClock(),
                on_ready=ready.set_result,
                reload=reload,
            )
        )
        base = (await ready).url
        try:
            async with aiohttp.ClientSession(base) as client:
                yield client
        finally:
            stop.set()


async def post_beat(
    client: aiohttp.ClientSession, region: str = "eu-central-1", **changes: Any
) -> int:
    """Beat as the region's own node; returns the status."""
    beat = heartbeat(region, **changes)
    async with client.post(
        f"/v1/nodes/{beat.node}/beat",
        data=beat.model_dump_json(),
        headers={"Authorization": f"Bearer {node_secret(region)}"},
    ) as answer:
        return answer.status


async def post_route(
    client: aiohttp.ClientSession,
    body: Any,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Ask for a place; returns status and body."""
    async with client.post("/v1/route", json=body, headers=headers or CLINIC) as answer:
        return answer.status, await answer.json(content_type=None)


async def post_phone_route(
    client: aiohttp.ClientSession, body: Any, region: str = "eu-central-1", node: str = "n"
) -> tuple[int, dict[str, Any]]:
    """Ask, as a node of ``region``, where a phone call may be; returns status and body."""
    async with client.post(
        f"/v1/nodes/{node}/route",
        json=body,
        headers={"Authorization": f"Bearer {node_secret(region)}"},
    ) as answer:
        return answer.status, await answer.json(content_type=None)
