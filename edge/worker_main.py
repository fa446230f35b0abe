"""The worker process: its start order on standard input, its status on standard output."""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before onnxruntime is imported anywhere

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from prometheus_client import generate_latest
from pydantic import ValidationError

from edge.clock import Clock, SystemClock
from edge.dialog.agent import load_agents
from edge.internal import OpenCall, WorkerFailed, WorkerStatus
from edge.logs import configure_logging
from edge.media.ticker import Ticker
from edge.metrics import WorkerMetrics
from edge.outbound import Pool
from edge.problem import EdgeRefusal
from edge.session.errors import SessionError
from edge.session.keys import LocalKeyFile
from edge.session.resume import ResumeTokens
from edge.session.sqlite import SqliteStore
from edge.session.store import SessionStore
from edge.settings import NodeSettings
from edge.speech.activity import SpeechDetector
from edge.speech.hearing import build_recognizer
from edge.speech.recognizer import RecognizerError
from edge.speech.voices.client import VoiceClient
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.errors import IceRestartUnsupported, OfferError, WebRtcError
from edge.worker import Rooms, Worker
from regions.strict_yaml import ConfigError

DRAIN_SECONDS = 8.0
"""What ending every call at once may take."""

SWEEP_SECONDS = 3600.0
CANNOT_START = (ConfigError, RecognizerError, SessionError, WebRtcError)
"""What an operator has to mend before a worker can work."""

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def work(index: int, socket: Path, voice_socket: Path, settings: NodeSettings) -> None:
    """Serve until standard input ends (the dispatcher is gone) or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal's; the dispatcher decides
    loop.add_reader(sys.stdin.fileno(), _parent_gone, stop)
    async with AsyncExitStack() as closing:
        rooms, ticker = await _open_rooms(index, voice_socket, settings, closing)
        async with asyncio.TaskGroup() as calls:
            worker = Worker(rooms, calls)
            runner = web.AppRunner(_app(worker, rooms), access_log=None)
            await runner.setup()
            await web.UnixSite(runner, str(socket)).start()
            closing.push_async_callback(runner.cleanup)
            background = [
                calls.create_task(ticker.run()),
                calls.create_task(_sweep(rooms.store, rooms.clock)),
            ]

            def report() -> None:
                status = WorkerStatus(
                    pid=os.getpid(),
                    media_port=rooms.endpoint.port,
                    active=worker.active,
                    capacity=settings.capacity,
                    calls=worker.calls,
                )
                sys.stdout.write(status.model_dump_json() + "\n")
                sys.stdout.flush()

            worker.on_change = report
            report()
            await stop.wait()
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await worker.drain()
            except TimeoutError:
                log.error("calls outlived the drain", extra={"count": worker.active})
                os._exit(1)  # the dispatcher must not wait for a call that does not end
            for task in background:
                task.cancel()


async def _sweep(store: SessionStore, clock: Clock) -> None:
    """Delete sessions whose retention is over, now and every hour."""
    while True:
        try:
            count = await store.sweep(clock.wall())
        except SessionError as error:
            log.warning("sweep failed", extra={"reason": type(error).__name__})
        else:
            if count:
                log.info("sessions expired", extra={"count": count})
        await asyncio.sleep(SWEEP_SECONDS)


async def _open_rooms(
    index: int, voice_socket: Path, settings: NodeSettings, closing: AsyncExitStack
) -> tuple[Rooms, Ticker]:
    clock = SystemClock()
    ticker = Ticker()
    metrics = WorkerMetrics(index)
    metrics.capacity.labels(str(index)).set(settings.capacity)
    metrics.late_ticks.labels(str(index)).set_function(lambda: ticker.late)
    keys = LocalKeyFile.open(settings.key_path, settings.region)
    store = await SqliteStore.open(settings.store_path)
    closing.push_async_callback(store.close)
    endpoint = WebRtcEndpoint(
        host=settings.media_host,
        port=settings.media_port + index if settings.media_port else 0,
        ticker=ticker,
        clock=clock,
        advertised=settings.advertised_host,
    )
    await endpoint.start()
    closing.push_async_callback(endpoint.close)
    detector = SpeechDetector()
    ticker.subscribe(detector.tick)
    recognizer = await build_recognizer(settings.recognizer, settings.models)
    closing.push_async_callback(recognizer.close)
    voice = VoiceClient(voice_socket)
    closing.push_async_callback(voice.close)
    rooms = Rooms(
        settings=settings,
        index=index,
        clock=clock,
        endpoint=endpoint,
        detector=detector,
        recognizer=recognizer,
        voice=voice,
        store=store,
        keys=keys,
        resume=ResumeTokens(keys.subkey("resume"), clock),
        connections=await closing.enter_async_context(Pool()),
        agents=load_agents(settings.agents),
        metrics=metrics,
        environ=os.environ,
    )
    return rooms, ticker


def _parent_gone(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _app(worker: Worker, rooms: Rooms) -> web.Application:
    """The worker's side of the dispatcher's requests."""

    async def open_call(request: web.Request) -> web.Response:
        try:
            order = OpenCall.model_validate_json(await request.read())
        except ValidationError as error:
            raise EdgeRefusal("bad_request", "the dispatcher sent an unknown order") from error
        opened = await worker.open(order)
        return web.Response(text=opened.model_dump_json(), content_type="application/json")

    async def patch(request: web.Request) -> web.Response:
        leg = worker.entry(request.match_info["call_id"]).leg
        try:
            if leg is not None:
                leg.patch(await request.text())
        except IceRestartUnsupported as error:
            raise EdgeRefusal("ice_restart_unsupported", str(error)) from error
        except OfferError as error:
            raise EdgeRefusal(error.code, error.detail) from error
        return web.Response(status=204)

    async def hang_up(request: web.Request) -> web.Response:
        call = worker.entry(request.match_info["call_id"]).call
        if call is not None:
            call.end("hangup")
        return web.Response(status=204)

    async def whose(request: web.Request) -> web.Response:
        entry = worker.entry(request.match_info["call_id"])
        if entry.session_id != request.match_info["session_id"]:
            raise EdgeRefusal("unknown_call", "this is not the session's call")
        return web.Response(status=204)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(rooms.metrics.registry))

    app = web.Application(client_max_size=1 << 20, middlewares=[_refusals])
    app.router.add_post("/calls", open_call)
    app.router.add_patch("/calls/{call_id}", patch)
    app.router.add_delete("/calls/{call_id}", hang_up)
    app.router.add_get("/calls/{call_id}/session/{session_id}", whose)
    app.router.add_get("/metrics", metrics)
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EdgeRefusal as refusal:
        return refusal.response()


def main() -> int:
    """Read the order, work, leave."""
    order = json.loads(sys.stdin.buffer.raw.readline())  # type: ignore[union-attr]
    settings = NodeSettings.model_validate(order["settings"])
    configure_logging(settings.log_level, node=settings.node, worker=order["index"])
    try:
        asyncio.run(
            work(order["index"], Path(order["socket"]), Path(order["voice_socket"]), settings)
        )
    except CANNOT_START as error:
        print(WorkerFailed(failed=str(error)).model_dump_json(), flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
