"""A control plane, a node of one region and its clinic on free ports, for one bench."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import psutil
import yaml

from inland.bench.errors import BenchError
from inland.bench.serving import serving
from inland.clinic.service import create_app as create_clinic
from inland.demo.child import Child, DemoError
from inland.demo.files import write_files
from inland.demo.known import until_known
from inland.demo.ports import HOST, free_ports

REGION = "eu-central-1"
COUNTRY = "DE"
"""Where the callers call from: the law lets their calls into :data:`REGION`."""
STOP_SECONDS = 15.0
MODEL_VARIABLE = "INLAND_MODEL_URL"

_WORKER, _VOICE = "edge.worker_main", "edge.speech.voices.worker"


@dataclass(frozen=True, slots=True)
class Engines:
    """What the node hears and speaks with, in the words of its settings."""

    recognizer: str = "pocketsphinx"
    voice: str = "espeak"


Change: TypeAlias = Callable[[dict[str, Any]], None]
"""Makes other settings of a node's own, as its file has them."""


@dataclass(frozen=True, slots=True)
class PrivateNode:
    """It takes calls. Seconds are from the start of a program until ``/readyz`` said yes."""

    control_plane: str
    edge: str
    data: Path
    """The node's store and key."""
    logs: Path
    """``control plane.log`` and ``edge.log``."""
    processes: Mapping[str, psutil.Process]
    """``control plane``, ``dispatcher``, ``worker``, ``voice``."""
    control_plane_ready: float
    node_ready: float


@asynccontextmanager
async def private_node(
    folder: Path,
    engines: Engines,
    change: Change | None = None,
    passwords: Mapping[str, str] | None = None,
) -> AsyncIterator[PrivateNode]:
    """One worker, no model, nothing downloaded; ``passwords`` go into the node's environment.

    Raises :class:`BenchError` if it does not start.
    """
    control_port, edge_port = free_ports(2)
    files = write_files(folder, control_port, {REGION: edge_port}, workers=1)
    _choose(files.edges[REGION], engines, change)
    environment = {name: value for name, value in os.environ.items() if name != MODEL_VARIABLE}
    url = f"http://{HOST}:{control_port}"
    async with AsyncExitStack() as closing:
        clinic = create_clinic(files.edge_data[REGION] / "clinic.sqlite", dt.datetime.now)
        clinic_url = await closing.enter_async_context(serving(clinic))
        timeout = aiohttp.ClientTimeout(total=2)
        http = await closing.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        secret = {"INLAND_NODE_SECRET": files.secrets[REGION], "CLINIC_BOOKING_URL": clinic_url}
        try:
            control, control_seconds = await _program(
                "control plane",
                ["control-plane", "--config", str(files.control)],
                environment,
                control_port,
                files.logs,
                http,
                closing,
            )
            edge, edge_seconds = await _program(
                "edge",
                ["edge", "--config", str(files.edges[REGION])],
                environment | secret | dict(passwords or {}),
                edge_port,
                files.logs,
                http,
                closing,
            )
            await until_known(url, (REGION,), http, (control, edge))
        except DemoError as error:
            raise BenchError(str(error)) from error
        processes = {
            "control plane": psutil.Process(control.process.pid),
            **_node(edge.process.pid),
        }
        yield PrivateNode(
            control_plane=url,
            edge=f"http://{HOST}:{edge_port}",
            data=files.edge_data[REGION],
            logs=files.logs,
            processes=processes,
            control_plane_ready=control_seconds,
            node_ready=edge_seconds,
        )


def _choose(settings: Path, engines: Engines, change: Change | None) -> None:
    values = yaml.safe_load(settings.read_text())
    values |= {"recognizer": engines.recognizer, "voice": engines.voice, "capacity": 500}
    if change is not None:
        change(values)
    settings.write_text(yaml.safe_dump(values, sort_keys=False))


async def _program(
    name: str,
    arguments: list[str],
    environment: Mapping[str, str],
    port: int,
    logs: Path,
    http: aiohttp.ClientSession,
    closing: AsyncExitStack,
) -> tuple[Child, float]:
    child = await Child.start(name, arguments, environment, logs / f"{name}.log")
    closing.push_async_callback(child.stop, STOP_SECONDS)
    return child, await child.until_ready(f"http://{HOST}:{port}/readyz", http)


def _node(pid: int) -> dict[str, psutil.Process]:
    """The node's processes by what they do."""
    dispatcher = psutil.Process(pid)
    found = {"dispatcher": dispatcher}
    for process in dispatcher.children(recursive=True):
        line = process.cmdline()
        if _WORKER in line:
            found["worker"] = process
        elif _VOICE in line:
            found["voice"] = process
    if len(found) != 3:
        raise BenchError("the node has not the processes that it should have")
    return found
