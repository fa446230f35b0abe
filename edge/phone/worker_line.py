"""A worker's end of the line of one phone call (:mod:`edge.phone.line`)."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import assert_never

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from edge.clock import Clock
from edge.leg import TransferRequest, TransferResult
from edge.phone.line import (
    MAX_LINE,
    Ended,
    Established,
    HangUp,
    Open,
    Opened,
    OurDescription,
    Pressed,
    Refused,
    TheirAnswer,
    TheirOffer,
    ToDispatcher,
    ToWorker,
    Transfer,
    Transferred,
    Unacceptable,
    to_worker,
)
from edge.problem import EdgeRefusal
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from edge.transport.sip.media.ports import PortsExhausted
from edge.worker import Worker

FIRST_SECONDS = 3.0
"""What the dispatcher may take to say what it wants."""
TRANSFER_SECONDS = 90.0
"""Longer than a phone rings anywhere."""

log = logging.getLogger(__name__)


class WorkerLine:
    """Serves one line: takes the call, passes on what the far end wants, says when it is over."""

    def __init__(
        self, socket: web.WebSocketResponse, worker: Worker, media: SipMedia, clock: Clock
    ) -> None:
        self._socket = socket
        self._worker = worker
        self._media = media
        self._clock = clock
        self._out: asyncio.Queue[ToDispatcher] = asyncio.Queue()
        self._leg: SipLeg | None = None
        self._transfer: asyncio.Future[TransferResult] | None = None

    async def serve(self) -> None:
        """Returns when the line is closed by either side, and the call is told."""
        try:
            order = await self._first()
            taken = await self._worker.take(
                order.caller, "sip", partial(self._make_leg, order), self._ended
            )
        except EdgeRefusal as refusal:
            await self._send(Refused(code=refusal.code, detail=refusal.detail))
            return
        try:
            await self._send(Opened(call_id=taken.call_id, sdp=taken.description))
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read())
                await self._write()
                reading.cancel()
        finally:
            taken.leg.hung_up("lost")

    async def _first(self) -> Open:
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                order = to_worker.validate_json(await self._socket.receive_str())
        except (TimeoutError, TypeError, ValidationError) as error:
            raise EdgeRefusal("bad_request", "the dispatcher sent an unknown order") from error
        if not isinstance(order, Open):
            raise EdgeRefusal("bad_request", "a line begins with an order to open")
        if self._clock.monotonic() > order.until:
            raise EdgeRefusal("not_ready", "the worker was too slow; try again")
        return order

    async def _make_leg(self, order: Open) -> tuple[SipLeg, str]:
        policy = MediaPolicy(codecs=order.media.codecs, srtp=order.media.srtp)
        try:
            if order.sdp is None:
                leg, description = self._media.offer(
                    policy, signalling=order.source, after=order.after
                )
            else:
                offer = order.sdp.encode()
                leg, description = self._media.answer(offer, policy, signalling=order.source)
        except OfferError as error:
            raise EdgeRefusal(error.code, error.detail) from error
        except PortsExhausted as error:
            raise EdgeRefusal("full", "this worker has no media port left") from error
        if order.can_transfer:
            leg.on_transfer = self._ask_transfer
        leg.trunk = order.trunk
        self._leg = leg
        return leg, description.decode()

    def _ended(self, reason: str) -> None:
        self._out.put_nowait(Ended(reason=reason))

    async def _write(self) -> None:
        """Send what waits, the end last."""
        while True:
            message = await self._out.get()
            await self._send(message)
            if isinstance(message, Ended):
                return

    async def _send(self, message: ToDispatcher) -> None:
        try:
            await self._socket.send_str(message.model_dump_json())
        except ConnectionError:
            if self._leg is not None:
                self._leg.hung_up("lost")

    async def _read(self) -> None:
        async for frame in self._socket:
            if frame.type is not WSMsgType.TEXT:
                break
            try:
                self._hear(to_worker.validate_json(frame.data))
            except ValidationError:
                log.error("dispatcher sent an unknown message")
                break
        if self._leg is not None:
            self._leg.hung_up("lost")

    def _hear(self, message: ToWorker) -> None:
        leg = self._leg
        if leg is None:  # a line without a leg has nothing to read
            return
        match message:
            case TheirOffer(sdp=sdp):
                self._describe(leg, sdp)
            case TheirAnswer(sdp=sdp):
                try:
                    leg.accept(sdp.encode())
                except OfferError as error:
                    self._out.put_nowait(Unacceptable(code=error.code))
            case Established():
                leg.establish()
            case Pressed(digit=digit):
                leg.on_digit(digit)
            case Transferred(ok=ok, status=status, reason=reason):
                if self._transfer is not None and not self._transfer.done():
                    self._transfer.set_result(TransferResult(ok, status, reason))
            case HangUp(why=why):
                leg.hung_up(why)
            case Open():
                log.error("dispatcher opened a line twice")
            case _:
                assert_never(message)

    def _describe(self, leg: SipLeg, sdp: str | None) -> None:
        try:
            ours = leg.reoffer() if sdp is None else leg.reoffered(sdp.encode())
        except OfferError as error:
            self._out.put_nowait(Unacceptable(code=error.code))
        else:
            self._out.put_nowait(OurDescription(sdp=ours.decode()))

    async def _ask_transfer(self, request: TransferRequest) -> TransferResult:
        self._transfer = asyncio.get_running_loop().create_future()
        self._out.put_nowait(Transfer(to=request.to, how=request.kind, reference=request.reference))
        try:
            async with asyncio.timeout(TRANSFER_SECONDS):
                return await self._transfer
        except TimeoutError:
            return TransferResult(False, 0, "timeout")


async def serve_line(
    request: web.Request, worker: Worker, media: SipMedia | None, clock: Clock
) -> web.WebSocketResponse:
    """The handler of :data:`edge.phone.line.LINE_PATH`. Raises ``EdgeRefusal``."""
    if media is None:
        raise EdgeRefusal("not_ready", "this node takes no phone calls: its settings have no sip")
    socket = web.WebSocketResponse(max_msg_size=MAX_LINE, compress=False)
    await socket.prepare(request)
    try:
        await WorkerLine(socket, worker, media, clock).serve()
    finally:
        await socket.close()
    return socket
