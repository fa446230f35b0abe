"""The worker process: its start order on standard input, its status on standard output.

It reports at each change and each second: a worker that is silent counts as hung.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before onnxruntime is imported anywhere

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from edge.call_builder import Rooms
from edge.clock import Clock, SystemClock
from edge.dialog.agent import load_agents
from edge.egress.report import worker_tripwire
from edge.internal import WorkerFailed, WorkerStatus
from edge.law import LawInForce
from edge.logs import configure_logging, log_loop_errors
from edge.media.ticker import Ticker
from edge.metrics import WorkerMetrics
from edge.outbound import Pool
from edge.policy_told import law_to_begin_with, review_daily
from edge.process import keep_private
from edge.recorded import Recordings
from edge.recording.errors import RecordingError
from edge.session.errors import SessionError
from edge.session.keys import LocalKeyFile
from edge.session.keys_opened import open_keys
from edge.session.receipt import RECEIPT_PURPOSE, ReceiptKey
from edge.session.replica import ReplicaKey
from edge.session.resume import ResumeTokens
from edge.session.stores import SessionStores
from edge.session.stores_opened import open_stores
from edge.session.subjects import SUBJECT_PURPOSE, SubjectIndex
from edge.session.vault import KeyVault
from edge.session.watch import StoreWatch
from edge.settings import NodeSettings
from edge.shredder import Shredder
from edge.speech.activity import SpeechDetector
from edge.speech.hearing import build_recognizer
from edge.speech.recognizer import RecognizerError
from edge.speech.voices.client import VoiceClient
from edge.transport.sip.media.carrier import Patience
from edge.transport.sip.media.legs import SipMedia
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.errors import WebRtcError
from edge.worker import Worker
from edge.worker_api import worker_app
from edge.worker_receipts import store_place
from regions.bundle import BundleRefused
from regions.providers import load_providers
from regions.strict_yaml import ConfigError

DRAIN_SECONDS = 8.0
"""What ending every call at once may take."""

REPORT_SECONDS = 1.0
SWEEP_SECONDS = 300.0
CANNOT_START = (
    BundleRefused,
    ConfigError,
    RecognizerError,
    RecordingError,
    SessionError,
    WebRtcError,
)
"""What an operator has to mend before a worker can work."""

log = logging.getLogger(__name__)


class StatusLines:
    """Lines to the dispatcher that never block: one that does not read must not silence calls.

    While an earlier line is stuck, newer ones are dropped; the next second brings another.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._rest = b""

    def write(self, line: str) -> None:
        """Write a line, or what is left of an earlier one."""
        self._rest = self._rest or line.encode() + b"\n"
        with contextlib.suppress(OSError):  # full, or the dispatcher died: standard input tells
            self._rest = self._rest[os.write(self._descriptor, self._rest) :]


async def work(
    index: int,
    socket: Path,
    voice_socket: Path,
    settings: NodeSettings,
    law: LawInForce,
    lines: StatusLines,
) -> None:
    """Serve until standard input ends: the dispatcher closed it, or is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_errors(loop)
    loop.add_reader(sys.stdin.fileno(), _parent_gone, stop)
    async with AsyncExitStack() as closing:
        rooms, ticker = await _open_rooms(index, voice_socket, settings, law, closing)
        async with asyncio.TaskGroup() as calls:
            worker = Worker(rooms, calls)
            watch = StoreWatch(rooms.stores)
            runner = web.AppRunner(
                worker_app(worker, rooms),
                access_log=None,
                handler_cancellation=True,  # who gave up asking has asked another worker
            )
            await runner.setup()
            await web.UnixSite(runner, str(socket)).start()
            closing.push_async_callback(runner.cleanup)

            def report() -> None:
                status = WorkerStatus(
                    pid=os.getpid(),
                    media_port=rooms.endpoint.port,
                    active=worker.active,
                    capacity=settings.capacity,
                    calls=worker.calls,
                    serial=rooms.law.now.serial,
                    store=watch.answers,
                )
                lines.write(status.model_dump_json())

            rooms.law.on_change.append(lambda law: worker.review())
            rooms.law.on_change.append(lambda law: report())
            worker.on_change = report
            watch.on_change = report
            await watch.ask()
            tripwire = worker_tripwire(
                settings,
                rooms.agents.values(),
                rooms.environ,
                rooms.clock,
                lambda kind: rooms.metrics.unexpected.labels(str(index), kind).inc(),
            )
            tripwire.arm()
            background = [
                calls.create_task(tripwire.run()),
                calls.create_task(ticker.run()),
                calls.create_task(watch.run()),
                calls.create_task(_sweep(rooms.stores, rooms.vault, rooms.clock)),
                calls.create_task(rooms.recordings.sweep()),
                calls.create_task(_repeat(report)),
                calls.create_task(review_daily(worker.review, rooms.shredder.settle, rooms.clock)),
            ]
            await stop.wait()
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await worker.drain()
            except TimeoutError:
                log.error("calls outlived the drain", extra={"count": worker.active})
                os._exit(1)  # the dispatcher must not wait for a call that does not end
            for task in background:
                task.cancel()


async def _repeat(report: Callable[[], None]) -> None:
    """Report now and every second, from the loop that also holds the calls."""
    while True:
        report()
        await asyncio.sleep(REPORT_SECONDS)


async def _sweep(stores: SessionStores, vault: KeyVault, clock: Clock) -> None:
    """Destroy keys and delete sessions whose retention is over, now and every few minutes."""
    while True:
        try:
            destroyed = await vault.sweep(clock.wall())
            count = await stores.sweep(clock.wall())
        except SessionError as error:
            log.warning("sweep failed", extra={"reason": type(error).__name__})
        else:
            if destroyed:
                log.info("keys expired", extra={"count": destroyed})
            if count:
                log.info("sessions expired", extra={"count": count})
        await asyncio.sleep(SWEEP_SECONDS)


async def _open_rooms(
    index: int,
    voice_socket: Path,
    settings: NodeSettings,
    law: LawInForce,
    closing: AsyncExitStack,
) -> tuple[Rooms, Ticker]:
    clock = SystemClock()
    ticker = Ticker()
    metrics = WorkerMetrics(index)
    metrics.capacity.labels(str(index)).set(settings.capacity)
    metrics.late_ticks.labels(str(index)).set_function(lambda: ticker.late)
    region_key = LocalKeyFile.open(
        settings.key_path, settings.region, make=settings.key_file is None
    )
    keys = await open_keys(
        region_key, keys=settings.keys, store=settings.store, data=settings.data, clock=clock
    )
    closing.push_async_callback(keys.close)
    stores = await open_stores(
        settings.store, path=settings.store_path, region=settings.region, clock=clock
    )
    closing.push_async_callback(stores.close)
    endpoint = WebRtcEndpoint(
        host=settings.media_host,
        port=settings.media_port + index if settings.media_port else 0,
        ticker=ticker,
        clock=clock,
        advertised=settings.advertised_host,
        relays=settings.turn is not None,
    )
    await endpoint.start()
    closing.push_async_callback(endpoint.close)
    phone = _phone(index, settings, ticker, clock)
    if phone is not None:
        phone.start()
        closing.push_async_callback(phone.close)
    detector = SpeechDetector()
    ticker.subscribe(detector.tick)
    recognizer = await build_recognizer(settings.recognizer, settings.models)
    closing.push_async_callback(recognizer.close)
    voice = VoiceClient(voice_socket)
    closing.push_async_callback(voice.close)
    recordings = Recordings.open(settings, law, clock, metrics)
    closing.push_async_callback(recordings.close)
    rooms = Rooms(
        settings=settings,
        index=index,
        clock=clock,
        law=law,
        endpoint=endpoint,
        phone=phone,
        detector=detector,
        recognizer=recognizer,
        voice=voice,
        stores=stores,
        keys=keys.provider,
        vault=keys.vault,
        shredder=Shredder(keys.vault),
        resume=ResumeTokens(region_key.subkey("resume"), clock),
        receipts=ReceiptKey(region_key.subkey(RECEIPT_PURPOSE)),
        subjects=SubjectIndex(region_key.subkey(SUBJECT_PURPOSE)),
        replicas=ReplicaKey.of(region_key),
        store_place=store_place(settings),
        connections=await closing.enter_async_context(Pool()),
        providers=load_providers(settings.providers),
        agents=load_agents(settings.agents),
        recordings=recordings,
        metrics=metrics,
        environ=os.environ,
    )
    return rooms, ticker


def _phone(index: int, settings: NodeSettings, ticker: Ticker, clock: Clock) -> SipMedia | None:
    """This worker's share of the ports for phone calls. Raises ``ConfigError``."""
    sip = settings.sip
    if sip is None:
        return None
    try:
        return SipMedia(
            settings.media_host,
            sip.media_ports_of(index, settings.workers),
            sip.advertised_host or settings.advertised_host,
            ticker,
            clock,
            patience=Patience(talking=sip.media_timeout_seconds),
        )
    except ValueError as error:
        raise ConfigError(
            f"media_host {settings.media_host}: {error}: set sip.advertised_host to a numeric one"
        ) from error


def _parent_gone(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def main() -> int:
    """Read the order, work, leave."""
    keep_private()
    for number in (signal.SIGTERM, signal.SIGINT):
        # A service manager or a terminal signals every process of a node at once, and the calls
        # here must outlive that: the dispatcher drains, then closes our standard input. A handler
        # and not SIG_IGN, which children would inherit.
        signal.signal(number, lambda number, frame: None)
    lines = StatusLines(_private_stdout())
    order = json.loads(sys.stdin.buffer.raw.readline())  # type: ignore[union-attr]
    settings = NodeSettings.model_validate(order["settings"])
    configure_logging(settings.log_level, node=settings.node, worker=order["index"])
    sockets = Path(order["socket"]), Path(order["voice_socket"])
    try:
        said = {name: order.get(name) for name in ("bundle", "catalogue")}
        law = law_to_begin_with(settings, SystemClock(), **said)
        asyncio.run(work(order["index"], *sockets, settings, law, lines))
    except CANNOT_START as error:
        lines.write(WorkerFailed(failed=str(error)).model_dump_json())
        return 1
    return 0


def _private_stdout() -> int:
    """A descriptor of standard output for the status alone; what others print goes to the log."""
    status = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    sys.exit(main())
