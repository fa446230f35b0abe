"""The demo as a whole: its files, its programs, its end."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from aiohttp import web

from control_plane.errors import KeyFileError
from edge.session.errors import SessionError
from inland.clinic.service import create_app as create_clinic
from inland.demo.child import Child, DemoError
from inland.demo.files import DemoFiles, page_config, write_files
from inland.demo.known import until_known
from inland.demo.page import create_page
from inland.demo.phone import about as about_phones
from inland.demo.phone import dialled
from inland.demo.ports import HOST, PortBusy, check_ports, free_ports
from inland.policy.errors import PolicyCommandError
from regions.catalogue import load_catalogue

STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line chose."""

    page_port: int = 7080
    control_port: int = 7000
    edge_port: int = 7101
    sip_port: int = 5060
    free_ports: bool = False
    regions: tuple[str, ...] = ("eu-central-1", "ap-south-1", "me-central-1")
    workers: int = 2
    data: Path | None = None
    providers: Path | None = None
    json_output: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens."""

    page: int
    control: int
    edges: dict[str, int]
    phones: dict[str, int]
    clinics: dict[str, int] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, int]:
        """Every port that the caller of the demo can choose, by what it is for."""
        edges = {f"the edge of {region}": port for region, port in self.edges.items()}
        phones = {f"phone calls to {region}": port for region, port in self.phones.items()}
        return {"the page": self.page, "the control plane": self.control, **edges, **phones}


async def run_demo(options: DemoOptions) -> int:
    """Run until a signal, or until no program of the demo is left; the exit status."""
    stop = asyncio.Event()
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def on_signal() -> None:
        stop.set()
        if main is not None and not started.is_set():
            started.set()  # once: a second Ctrl-C must not disturb the way out
            main.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, on_signal)
    say = _narrator(options)
    data = options.data or Path(tempfile.mkdtemp(prefix="inland-demo-"))
    status = 0
    try:
        async with demo(options, data, say) as running:
            started.set()
            await _serve(running, options, stop, say)
            say("draining …")
    except asyncio.CancelledError:
        if main is not None:
            main.uncancel()
    except PortBusy as error:
        print(f"inland demo: {error}", file=sys.stderr)
        status = 2
    except DemoError as error:
        print(f"inland demo: {error}", file=sys.stderr)
        status = 1
    logs = (data / "logs").is_dir()
    if options.data is None and (status == 0 or not logs):
        shutil.rmtree(data, ignore_errors=True)
    elif status == 1 and logs:
        print(f"inland demo: logs are in {data / 'logs'}", file=sys.stderr)
    if status == 0:
        say("ended.")
    return status


def _narrator(options: DemoOptions) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not options.json_output:
            print(text, flush=True)

    return say


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that takes calls."""

    addresses: Addresses
    files: DemoFiles
    children: tuple[Child, ...]


async def _serve(
    running: Running, options: DemoOptions, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    addresses = running.addresses
    page = f"http://{HOST}:{addresses.page}/"
    if options.json_output:
        facts = {
            "page": page,
            "control_plane": f"http://{HOST}:{addresses.control}",
            "edges": {name: f"http://{HOST}:{port}" for name, port in addresses.edges.items()},
            "phones": {name: dialled(name, port) for name, port in addresses.phones.items()},
            "clinics": {name: f"http://{HOST}:{port}" for name, port in addresses.clinics.items()},
            "data": str(running.files.data),
            "pids": {child.name: child.process.pid for child in running.children},
        }
        print(json.dumps(facts), flush=True)
    say(f"\n  Open  {page}\n")
    command = Path(sys.executable).with_name("inland")
    say(f"  or call from a shell:  {command} call --from DE --script booking{_where(addresses)}")
    say(f"  {about_phones(addresses.phones)}")
    policy = running.files.policy
    say(f"  To change the law of calls that go on, edit {policy.contracts} and run")
    say(f"    {policy.command}")
    say("  Ctrl-C ends the demo.\n")
    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(stop.wait())
        lives = {group.create_task(child.process.wait()): child for child in running.children}
        while lives and not stopped.done():
            done, _ = await asyncio.wait({stopped, *lives}, return_when=asyncio.FIRST_COMPLETED)
            for child in [lives.pop(task) for task in done if task in lives]:
                if not stopped.done():  # a part may fail: the others show what that means
                    print(f"inland demo: {child.last_words()}", file=sys.stderr, flush=True)
        stopped.cancel()
        for task in lives:
            task.cancel()
    if not lives and not stop.is_set():
        raise DemoError("every program of the demo has ended")


def _where(addresses: Addresses) -> str:
    """What a caller must be told when the control plane is not where it usually is."""
    usual = addresses.control == DemoOptions().control_port
    return "" if usual else f" --control-plane http://{HOST}:{addresses.control}"


@asynccontextmanager
async def demo(
    options: DemoOptions, data: Path, say: Callable[[str], None]
) -> AsyncIterator[Running]:
    """Start everything, yield when calls are taken, drain and end everything."""
    _check_regions(options)
    addresses = _addresses(options)
    check_ports(addresses.named)
    files = _files(options, data, addresses)
    async with AsyncExitStack() as closing:
        clinics = await _start_clinics(options.regions, files, closing)
        addresses = replace(addresses, clinics=clinics)
        await _start_page(addresses, closing)
        timeout = aiohttp.ClientTimeout(total=2)
        http = await closing.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        children = await _start_children(addresses, files, closing)
        await _until_ready(addresses, children, http, say)
        control = f"http://{HOST}:{addresses.control}"
        await until_known(control, options.regions, http, children)
        yield Running(addresses, files, tuple(children))


def _files(options: DemoOptions, data: Path, addresses: Addresses) -> DemoFiles:
    """Raises :class:`DemoError` for what a former run left in ``data`` and cannot be used."""
    try:
        return write_files(
            data,
            addresses.control,
            addresses.edges,
            options.workers,
            addresses.phones,
            options.providers,
        )
    except (KeyFileError, SessionError, PolicyCommandError) as error:
        raise DemoError(f"--data: {error}") from error


def _check_regions(options: DemoOptions) -> None:
    known = [region.id for region in load_catalogue().regions]
    for region in options.regions:
        if region not in known:
            raise DemoError(f"no region {region!r}; the catalogue has {', '.join(known)}")
    if not options.regions or len(set(options.regions)) != len(options.regions):
        raise DemoError("--regions takes one or more different regions, separated by commas")


def _addresses(options: DemoOptions) -> Addresses:
    count = len(options.regions)
    if options.free_ports:
        page, control, *rest = free_ports(2 + 2 * count)
    else:
        page, control = options.page_port, options.control_port
        rest = [options.edge_port + index for index in range(count)]
        # Two apart: the port after a phone's own is where TLS would be (RFC 3261, 19.1.2).
        rest += [options.sip_port + 2 * index for index in range(count)]
    edges = dict(zip(options.regions, rest[:count], strict=True))
    phones = dict(zip(options.regions, rest[count:], strict=True))
    return Addresses(page, control, edges, phones)


async def _start_clinics(
    regions: tuple[str, ...], files: DemoFiles, closing: AsyncExitStack
) -> dict[str, int]:
    """A booking service for each region: its callers' appointments stay there, too."""
    ports = {}
    for region in regions:
        app = create_clinic(files.edge_data[region] / "clinic.sqlite", dt.datetime.now)
        ports[region] = await _listen(app, 0, closing)
    return ports


async def _start_page(addresses: Addresses, closing: AsyncExitStack) -> None:
    catalogue = load_catalogue()
    control = f"http://{HOST}:{addresses.control}"
    edges = [f"http://{HOST}:{port}" for port in addresses.edges.values()]
    config = page_config(control, catalogue, addresses.edges)
    await _listen(create_page(config, [control, *edges]), addresses.page, closing)


async def _listen(app: web.Application, port: int, closing: AsyncExitStack) -> int:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    closing.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return bound


async def _start_children(
    addresses: Addresses, files: DemoFiles, closing: AsyncExitStack
) -> list[Child]:
    children: list[Child] = []

    async def stop_all() -> None:
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.stop(STOP_SECONDS))

    closing.push_async_callback(stop_all)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    children.append(
        await Child.start(
            "control plane",
            ["control-plane", "--config", str(files.control)],
            environment,
            files.logs / "control-plane.log",
        )
    )
    for region, config in files.edges.items():
        clinic = f"http://{HOST}:{addresses.clinics[region]}"
        own = {"INLAND_NODE_SECRET": files.secrets[region], "CLINIC_BOOKING_URL": clinic}
        children.append(
            await Child.start(
                f"edge {region}",
                ["edge", "--config", str(config)],
                environment | own,
                files.logs / f"{region}.log",
            )
        )
    return children


async def _until_ready(
    addresses: Addresses,
    children: list[Child],
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> None:
    ports = [addresses.control, *addresses.edges.values()]

    async def wait(child: Child, port: int) -> None:
        seconds = await child.until_ready(f"http://{HOST}:{port}/readyz", http)
        say(f"  {child.name:<22} http://{HOST}:{port}   ready after {seconds:.1f} s")

    say("Starting Inland on this machine:")
    try:
        async with asyncio.TaskGroup() as group:
            for child, port in zip(children, ports, strict=True):
                group.create_task(wait(child, port))
    except* DemoError as errors:
        raise errors.exceptions[0] from None
