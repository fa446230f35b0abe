"""The voice of a call worker: speaks through the voice process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeAlias

from edge.speech.voice import MAX_TEXT, Speech, VoiceError, VoiceLost, VoiceRefused
from edge.speech.voices.protocol import (
    VERSION,
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

_Item: TypeAlias = "Speech | VoiceError | None"
"""A chunk, a failure, or the end."""

_AGAIN_SECONDS = 0.05


class VoiceClient:
    """A ``Voice`` over one connection to the voice process.

    Connects on first use, and again once the process is back after a crash: a request made in the
    meantime waits up to ``patience`` seconds. What was being said when the process died ends with
    ``VoiceLost``. Any number of texts may be spoken at once; a consumer that is slow is sent
    nothing more, and keeps nobody else waiting. Belongs to one event loop.
    """

    def __init__(self, socket: Path, *, patience: float = 3.0, name: str = "worker") -> None:
        self.name = name
        self._socket = socket
        self._patience = patience
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def speak(self, text: str, *, language: str, rate: int) -> AsyncGenerator[Speech, None]:
        """See ``Voice.speak``."""
        if len(text) > MAX_TEXT:
            raise VoiceRefused(f"{len(text)} characters at once, of {MAX_TEXT} at most")
        link = await self._connected()
        request, items = link.begin(text, language, rate)
        try:
            while True:
                item = await items.get()
                if item is None:
                    return
                if isinstance(item, VoiceError):
                    raise item
                link.send(More(request))
                yield item
        finally:
            link.end(request)

    async def close(self) -> None:
        """Close the connection; what is being said ends with ``VoiceLost``. Idempotent."""
        self._closed = True
        if self._link is not None:
            self._link.close()
            await self._link.gone.wait()

    async def _connected(self) -> _Link:
        async with self._connecting:
            if self._closed:
                raise VoiceLost("the voice was closed")
            if self._link is None or self._link.gone.is_set():
                self._link = await self._connect()
            return self._link

    async def _connect(self) -> _Link:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    try:
                        _, link = await loop.create_unix_connection(_Link, str(self._socket))
                    except OSError:
                        pass
                    else:
                        if await link.greeted():
                            return link
                    await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            raise VoiceLost("the voice process does not answer") from None


class _Link(asyncio.Protocol):
    """One connection: no task, so that nothing outlives it."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._ready = asyncio.Event()
        self._decoder = Decoder()
        self._numbers = itertools.count(1)
        self._items: dict[int, asyncio.Queue[_Item]] = {}
        self._transport: asyncio.WriteTransport | None = None

    async def greeted(self) -> bool:
        """Whether the worker said hello; False if it went away instead. Closes if cancelled."""
        try:
            await self._ready.wait()
        except asyncio.CancelledError:
            self.close()
            raise
        return not self.gone.is_set()

    def begin(self, text: str, language: str, rate: int) -> tuple[int, asyncio.Queue[_Item]]:
        """Ask for ``text``. The queue holds at most a window of chunks and the end."""
        request = next(self._numbers) % 2**32
        try:
            message = encode(Speak(request, text, language, rate))
        except ValueError as error:
            raise VoiceRefused(str(error)) from None
        items: asyncio.Queue[_Item] = asyncio.Queue()
        self._items[request] = items
        if self.gone.is_set():
            items.put_nowait(VoiceLost("the voice process went away"))
        elif self._transport is not None:
            self._transport.write(message)
        return request, items

    def end(self, request: int) -> None:
        """No more of ``request`` is wanted; tells the worker unless it said the last word."""
        if self._items.pop(request, None) is not None:
            self.send(Cancel(request))

    def send(self, message: More | Cancel) -> None:
        if self._transport is not None and not self.gone.is_set():
            self._transport.write(encode(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._accept(message)
        except ProtocolError:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.gone.set()
        self._ready.set()
        for items in self._items.values():
            items.put_nowait(VoiceLost("the voice process went away"))
        self._items.clear()

    def _accept(self, message: Message) -> None:
        match message:
            case Hello(_, version):
                if version != VERSION:
                    raise ProtocolError(f"version {version}")
                self._ready.set()
            case Chunk(request, speech):
                if (items := self._items.get(request)) is not None:
                    items.put_nowait(speech)
            case Done(request):
                if (items := self._items.pop(request, None)) is not None:
                    items.put_nowait(None)
            case Failed(request, reason, retry):
                if (items := self._items.pop(request, None)) is not None:
                    items.put_nowait((VoiceLost if retry else VoiceRefused)(reason))
            case _:
                raise ProtocolError("a message that only a client sends")
