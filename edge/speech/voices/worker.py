"""The voice process: ``python -m edge.speech.voices.worker --socket PATH``.

Serves ``protocol`` on a unix socket that only its own user may open. Writes one line, ``ready``,
when it can be connected to. Ends on SIGTERM, and when its standard input ends, which is how it
notices that its parent is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.logs import configure_logging, log_loop_errors
from edge.process import keep_private
from edge.speech.models_folder import models_folder
from edge.speech.voice import Speech
from edge.speech.voices.engine import Engine, EngineError
from edge.speech.voices.protocol import (
    READY,
    WINDOW,
    Cancel,
    Chunk,
    Decoder,
    Done,
    Failed,
    Hello,
    Message,
    More,
    ProtocolError,
    Speak,
    encode,
)
from edge.speech.voices.studio import Studio

logger = logging.getLogger(__name__)

MAX_REQUESTS = 256
"""Requests of one connection at a time."""
MAX_CONNECTIONS = 64
_READ = 65_536


@dataclass(slots=True)
class _Job:
    """One request: what stops it and what lets it send."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    credit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WINDOW))
    task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        self.cancelled.set()
        if self.task is not None:
            self.task.cancel()


class Connection:
    """One client: reads its messages, runs a task for each request."""

    def __init__(
        self, studio: Studio, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._studio = studio
        self._reader = reader
        self._writer = writer
        self._jobs: dict[int, _Job] = {}

    async def serve(self) -> None:
        """Until the client closes, or says something that is not the protocol."""
        try:
            self._writer.write(encode(Hello(self._studio.name)))
            async with asyncio.TaskGroup() as group:
                try:
                    await self._read(group)
                finally:
                    for job in self._jobs.values():
                        job.stop()
        except* ConnectionError:
            logger.debug("a client went away")
        except* ProtocolError:
            logger.warning("a client does not speak the protocol")
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _read(self, group: asyncio.TaskGroup) -> None:
        decoder = Decoder()
        while data := await self._reader.read(_READ):
            for message in decoder.feed(data):
                self._accept(message, group)

    def _accept(self, message: Message, group: asyncio.TaskGroup) -> None:
        match message:
            case Speak(request):
                if request in self._jobs:
                    raise ProtocolError("a request number that is in use")
                if len(self._jobs) >= MAX_REQUESTS:
                    self._writer.write(encode(Failed(request, "too many requests", True)))
                    return
                job = self._jobs[request] = _Job()
                job.task = group.create_task(self._speak(message, job))
            case Cancel(request):
                if (found := self._jobs.get(request)) is not None:
                    found.stop()
            case More(request):
                if (found := self._jobs.get(request)) is not None:
                    found.credit.release()
            case _:
                raise ProtocolError("a message that only a worker sends")

    async def _speak(self, request: Speak, job: _Job) -> None:
        async def send(speech: Speech) -> None:
            await job.credit.acquire()
            await self._write(Chunk(request.request, speech))

        try:
            await self._studio.speak(request, job.cancelled.is_set, send)
            await self._write(Done(request.request))
        except EngineError as error:
            await self._write(Failed(request.request, str(error), False))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            # An engine's bug must end one request and not the voice of every call on the node.
            logger.error("a voice broke", extra={"reason": type(error).__name__})
            await self._write(Failed(request.request, type(error).__name__, False))
        finally:
            del self._jobs[request.request]

    async def _write(self, message: Message) -> None:
        self._writer.write(encode(message))
        await self._writer.drain()


async def serve(
    socket: Path, studio: Studio, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve ``studio`` on ``socket`` until ``stop`` is set; then end every connection."""
    async with asyncio.TaskGroup() as group:
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(connections) >= MAX_CONNECTIONS:
                writer.close()
                return
            task = group.create_task(Connection(studio, reader, writer).serve())
            connections.add(task)
            task.add_done_callback(connections.discard)

        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(connected, socket)
        finally:
            os.umask(before)
        try:
            ready()
            await stop.wait()
        finally:
            server.close()
            studio.close()
            for task in connections:
                task.cancel()


def engines(voice: str, models: Path) -> list[Engine]:
    """The engines that ``--voice`` asks for, best first. Raises ``EngineError``.

    They are imported here, and only what is used: an espeak worker needs no onnxruntime.
    """
    found: list[Engine] = []
    if voice == "piper" or (voice == "auto" and any(models.glob("*/*.onnx.json"))):
        from edge.speech.voices.piper import Piper

        found.append(Piper(models))
    if voice in ("auto", "espeak"):
        from edge.speech.voices.espeak import Espeak

        found.append(Espeak())
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the process; returns its exit status."""
    parser = argparse.ArgumentParser(prog="edge.speech.voices.worker", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--voice", choices=("auto", "espeak", "piper"), default="auto")
    parser.add_argument(
        "--models", type=Path, help="folder of pulled models (default: as for `inland models`)"
    )
    parser.add_argument("--language", action="append", default=[], help="load its voice at once")
    arguments = parser.parse_args(argv)
    keep_private()
    configure_logging("warning", worker="voice")
    try:
        models = arguments.models or models_folder(os.environ)
        studio = Studio(engines(arguments.voice, models))
        for language in arguments.language:
            studio.warm(language)
    except (EngineError, ImportError, OSError) as error:
        sys.stderr.write(f"no voice: {error}\n")
        return 2
    asyncio.run(_run(arguments.socket, studio))
    return 0


async def _run(socket: Path, studio: Studio) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_errors(loop)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # A terminal's Ctrl-C reaches the whole group; calls may be draining, so the parent decides.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    # A thread, because not everything that can be a standard input can be polled.
    threading.Thread(target=_watch_parent, args=(loop, stop), daemon=True).start()
    await serve(socket, studio, stop, _announce)


def _announce() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: we are leaving anyway
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
