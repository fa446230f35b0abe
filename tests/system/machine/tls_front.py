"""TLS in front of a service that speaks none: what KMS and the control plane have in the world."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.edge.transport.sip.net.certificates import Files
from tests.system.machine.namespaces import Namespace

CHUNK = 64 * 1024


@dataclass(slots=True)
class TlsFront:
    """Passes on what comes to ``address`` to ``target``, in the clear, and remembers it."""

    address: tuple[str, int]
    target: tuple[str, int]
    files: Files
    heard: bytearray = field(default_factory=bytearray)

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.files.certificate, self.files.key)
        server = await asyncio.start_server(self._pass_on, *self.address, ssl=context)
        async with server:
            started.set()
            await stop.wait()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pipe(reader, back, remember=True))
            group.create_task(self._pipe(there, writer, remember=False))

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, remember: bool
    ) -> None:
        with suppress(OSError):  # either side may be gone
            while data := await source.read(CHUNK):
                if remember:
                    self.heard += data
                sink.write(data)
                await sink.drain()
        sink.close()


@contextmanager
def fronted(network: Namespace, front: TlsFront) -> Iterator[TlsFront]:
    """In ``network``, from its first breath until the block ends."""
    started = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await front.serve(started, stop)

    thread = network.thread(lambda: asyncio.run(serve()))
    assert started.wait(30), "the TLS front does not start"
    yield front
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
