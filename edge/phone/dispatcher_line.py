"""The dispatcher's end of the line of one phone call (:mod:`edge.phone.line`)."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
from pydantic import ValidationError

from edge.clock import Clock
from edge.internal import Admitted
from edge.phone.line import (
    LINE_PATH,
    MAX_LINE,
    LineMedia,
    Open,
    Opened,
    Refused,
    ToDispatcher,
    ToWorker,
    to_dispatcher,
)
from edge.pool import WorkerPool
from edge.problem import STATUS, EdgeRefusal
from edge.slot import WorkerAway, WorkerSlot

OPEN_SECONDS = 3.0
"""What a worker may take to take a call before another one is asked."""

log = logging.getLogger(__name__)


class LineBroke(Exception):
    """The worker went away without a word; the call can go on at another one."""


class DispatcherLine:
    """One open line; whoever opened it closes it."""

    def __init__(
        self, slot: WorkerSlot, socket: aiohttp.ClientWebSocketResponse, opened: Opened
    ) -> None:
        self.slot = slot
        self.call_id = opened.call_id
        self.description = opened.sdp.encode()
        """The worker's answer, or the offer that was asked for."""
        self._socket = socket

    async def close(self) -> None:
        """Hang up on the worker: if it has not ended the call, it does so now. Idempotent."""
        await self._socket.close()

    async def send(self, message: ToWorker) -> None:
        """Say something; when the worker is gone :meth:`receive` tells, not this."""
        try:
            await self._socket.send_str(message.model_dump_json())
        except (ConnectionError, aiohttp.ClientError):
            log.debug("line broke", extra={"worker": self.slot.index})

    async def receive(self) -> ToDispatcher:
        """The worker's next message. Raises :class:`LineBroke`."""
        frame = await self._socket.receive()
        if frame.type is not aiohttp.WSMsgType.TEXT:
            raise LineBroke
        try:
            return to_dispatcher.validate_json(frame.data)
        except ValidationError as error:
            log.error("worker sent an unknown message", extra={"worker": self.slot.index})
            raise LineBroke from error


async def open_line(
    pool: WorkerPool,
    clock: Clock,
    *,
    caller: Admitted,
    sdp: bytes | None,
    media: LineMedia,
    trunk: str,
    source: str | None,
    after: bytes | None,
    can_transfer: bool,
) -> DispatcherLine:
    """Give a call to the least loaded worker, and to another one if that one does not answer.

    ``trunk`` is whose call it is, ``after`` our last description when the call was another
    worker's. Raises ``EdgeRefusal``: what the worker said, or ``full`` and ``not_ready``.
    """
    offer = None if sdp is None else _text(sdp)

    async def ask(slot: WorkerSlot) -> DispatcherLine:
        order = Open(
            caller=caller,
            sdp=offer,
            media=media,
            trunk=trunk,
            source=source,
            after=None if after is None else origin_of(after),
            can_transfer=can_transfer,
            until=clock.monotonic() + OPEN_SECONDS,
        )
        slot.opening += 1
        try:
            return await _ask(slot, order)
        finally:
            slot.opening -= 1

    first = pool.least_loaded()
    try:
        return await ask(first)
    except WorkerAway as away:
        log.warning("worker did not take a phone call", extra={"worker": first.index})
        try:
            second = pool.least_loaded(but=first)
        except EdgeRefusal:
            raise away from None
        return await ask(second)


async def _ask(slot: WorkerSlot, order: Open) -> DispatcherLine:
    socket: aiohttp.ClientWebSocketResponse | None = None
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            socket = await slot.client.ws_connect(
                f"http://worker{LINE_PATH}", max_msg_size=MAX_LINE, autoping=True
            )
            await socket.send_str(order.model_dump_json())
            frame = await socket.receive()
            answer = to_dispatcher.validate_json(frame.data or "")
    except (TimeoutError, aiohttp.ClientError, ConnectionError, ValidationError) as error:
        if socket is not None:
            await socket.close()
        raise WorkerAway from error
    except BaseException:
        if socket is not None:
            await socket.close()
        raise
    if isinstance(answer, Opened):
        return DispatcherLine(slot, socket, answer)
    await socket.close()
    if isinstance(answer, Refused) and answer.code in STATUS:
        raise EdgeRefusal(answer.code, answer.detail)
    raise WorkerAway


def _text(sdp: bytes) -> str:
    try:
        return sdp.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EdgeRefusal("bad_sdp", "the session description is not UTF-8") from error


def origin_of(description: bytes) -> tuple[int, int]:
    """Session id and version in the o= line of a description of ours (RFC 8866 section 5.2)."""
    for line in description.splitlines():
        if line.startswith(b"o="):
            _, session_id, version, *_ = line.split()
            return int(session_id), int(version)
    raise ValueError("a description of ours without an origin")
