"""Starts, serves, drains, closes; each by a deadline."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from control_plane.app import Assembly, assemble
from control_plane.clock import Clock, SystemClock
from control_plane.connection import connection_factory
from control_plane.directory import Directory
from control_plane.errors import ListenError
from control_plane.settings import Settings

REQUEST_SECONDS = 5.0
"""What requests in progress get to finish once the listener is closed."""
CLOSE_SECONDS = 15.0
"""Closing takes no longer, whatever hangs."""
SWEEP_SECONDS = 60.0
BACKLOG = 512

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A control plane that accepts connections."""

    url: str
    policy: str
    tenants: int


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    *,
    clock: Clock | None = None,
    on_ready: Callable[[Serving], None] | None = None,
    reload: asyncio.Event | None = None,
) -> None:
    """Serve until ``stop`` is set, then drain and close. ``on_ready`` is called once it listens.
    Setting ``reload`` has the policy bundle read again at once; it is cleared then.

    Raises ``ConfigError`` and ``StartupError`` before anything listens.
    """
    assembly = assemble(settings, clock or SystemClock())
    runner = web.AppRunner(assembly.app, shutdown_timeout=REQUEST_SECONDS)
    await runner.setup()
    try:
        listener, url = await _listen(runner, settings)
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(_sweep(assembly.plane.directory))]
                if assembly.watch is not None:
                    watching = assembly.watch.run(reload or asyncio.Event())
                    background.append(tasks.create_task(watching))
                await _until_stopped(settings, assembly, url, stop, on_ready)
                for task in background:
                    task.cancel()
        finally:
            listener.close()
    finally:
        async with asyncio.timeout(CLOSE_SECONDS):
            await runner.cleanup()
    log.info("control plane closed")


async def _until_stopped(
    settings: Settings,
    assembly: Assembly,
    url: str,
    stop: asyncio.Event,
    on_ready: Callable[[Serving], None] | None,
) -> None:
    log.info("control plane listens")
    if on_ready is not None:
        on_ready(Serving(url, assembly.plane.law.now.policy, assembly.tenants))
    await stop.wait()
    log.info("control plane drains")
    assembly.plane.draining = True
    await asyncio.sleep(settings.drain_seconds)


async def _listen(runner: web.AppRunner, settings: Settings) -> tuple[asyncio.Server, str]:
    """A listening server and its URL. Raises ``ListenError``."""
    loop = asyncio.get_running_loop()
    server = runner.server
    if server is None:
        raise RuntimeError("the runner was not set up")
    where = f"port {settings.port} on {settings.host}"
    try:
        listener = await loop.create_server(
            connection_factory(server, settings.idle_seconds),
            settings.host,
            settings.port,
            backlog=BACKLOG,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"{where} is in use: stop what listens there "
                f"(ss -ltnp 'sport = :{settings.port}' shows it) or choose another with --port"
            ) from error
        raise ListenError(
            f"cannot listen: {where}: {error.strerror or error}; "
            "choose another with --host and --port"
        ) from error
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return listener, f"http://{host}:{listener.sockets[0].getsockname()[1]}"


async def _sweep(directory: Directory) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        directory.forget_dead()
