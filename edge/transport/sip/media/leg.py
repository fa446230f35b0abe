"""A phone call's media as a leg: what a call sees of a telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from edge.clock import Clock
from edge.events import JsonValue
from edge.leg import LegEnd, LegError, TransferRequest, TransferResult
from edge.media.frames import LISTEN_RATE, Band, Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec, CodecName
from edge.transport.rtp.plan import Plan
from edge.transport.rtp.stream import MediaStream
from edge.transport.sip.media import negotiate
from edge.transport.sip.media.agreement import Agreed, Direction, LocalMedia, MediaPolicy
from edge.transport.sip.media.carrier import Patience, RtpCarrier
from edge.transport.sip.media.dtmf import DigitReceiver, DigitSender
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.negotiate import OfferState

ESTABLISH_TIMEOUT = 240.0
"""Seconds until signalling has to say that the call stands. It has timers of its own; this one is
for signalling that is gone."""

_PATIENCE = Patience()
_NARROW: frozenset[CodecName] = frozenset({"pcmu", "pcma"})


@dataclass(frozen=True, slots=True)
class LegCounts:
    """What happened to the packets of a call, for metrics.

    ``lost`` to ``restarts`` are of the far end's stream, ``foreign`` came from others, ``refused``
    could not be decrypted or decoded or were too many.
    """

    received: int
    lost: int
    late: int
    duplicate: int
    restarts: int
    sent: int
    unsent: int
    foreign: int
    refused: int


class SipLeg:
    """One call's media; implements ``edge.leg.Leg``. Made by :class:`SipMedia`.

    Signalling drives it: ``reoffered``, ``reoffer`` and ``accept`` carry descriptions,
    ``establish`` says that the call stands, ``hung_up`` that it does not any more. There is no
    event channel. ``on_transfer`` asks signalling to give the caller away; None: it cannot.
    ``trunk`` is signalling's to say.

    On hold nothing is sent, the playout waits, and the listener hears silence.
    """

    kind = "sip"
    trunk = ""

    def __init__(
        self,
        carrier: RtpCarrier,
        local: LocalMedia,
        policy: MediaPolicy,
        ticker: Ticker,
        clock: Clock,
        *,
        signalling: str | None,
        on_closed: Callable[[], None],
    ) -> None:
        first = Codec(policy.codecs[0], 0)
        self.playout = Playout(first.playout_rate)
        self.on_audio: Callable[[Samples], None] = _ignore
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = _ignore
        self.on_digit: Callable[[str], None] = _ignore
        self.on_transfer: Callable[[TransferRequest], Awaitable[TransferResult]] | None = None
        self.on_hold = False
        """Whether the far end does not listen for now."""
        self._carrier = carrier
        self._local = local
        self._policy = policy
        self._ticker = ticker
        self._signalling = signalling
        self._on_closed = on_closed
        self._agreed: Agreed | None = None
        self._offered: OfferState | None = None
        self._digits_in = DigitReceiver(lambda digit, seconds: self.on_digit(digit))
        self._digits_out = DigitSender()
        self._media = self._stream(first, clock)
        carrier.on_lost = lambda: self._end("lost")
        loop = asyncio.get_running_loop()
        self._established: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[LegEnd] = loop.create_future()
        self._closed = False

    def _stream(self, first: Codec, clock: Clock) -> MediaStream:
        stream = MediaStream(
            self._carrier,
            first,
            self.playout,
            LISTEN_RATE,
            lambda frame: self.on_audio(frame),
            clock,
            continuous=True,
        )
        stream.holds = True
        stream.sender.events = self._digits_out
        stream.receiver.on_event = self._digits_in.packet
        stream.on_tick = self._digits_in.tick
        stream.on_fault = lambda: self._end("failed")
        return stream

    # --- what signalling says --------------------------------------------------------------------

    def answer(self, offer: bytes) -> bytes:
        """Our answer to the far end's first offer, or to another. Raises ``OfferError``; what was
        agreed before then still holds."""
        description, agreed = negotiate.answer(offer, self._local, self._policy, self._agreed)
        self._apply(agreed)
        return description

    def reoffered(self, offer: bytes) -> bytes:
        """Our answer to an offer that would change the media. Raises ``OfferError``."""
        return self.answer(offer)

    def reoffer(self, direction: Direction = "sendrecv") -> bytes:
        """An offer of ours: the first one, or one of what stands in another ``direction``."""
        description, self._offered = negotiate.offer(
            self._local, self._policy, direction, self._agreed
        )
        return description

    def accept(self, answer: bytes) -> None:
        """The far end's answer to our offer; a later one to the same offer replaces it (early
        media, then the call). Raises ``OfferError``; what was agreed before then still holds."""
        if self._offered is None:
            raise OfferError("bad_sdp", "an answer without an offer")
        self._apply(negotiate.accept(self._offered, answer))

    def establish(self) -> None:
        """The call stands: media flows, ``connected`` returns. Idempotent."""
        if self._ended.done() or self._established.done():
            return
        if self._agreed is None:
            self._end("failed")
            return
        self._carrier.begin()
        self._media.start(self._ticker)
        self._established.set_result(None)

    def hung_up(self, why: LegEnd = "hangup") -> None:
        """The call is over: ``closed`` returns ``why``. Idempotent."""
        self._end(why)

    # --- what a call sees ------------------------------------------------------------------------

    @property
    def band(self) -> Band:
        """See ``Leg``."""
        return "narrow" if self._media.receiver.codec.name in _NARROW else "wide"

    @property
    def can_transfer(self) -> bool:
        """See ``Leg``."""
        return self.on_transfer is not None

    @property
    def media(self) -> MediaStream:
        """The stream, for its statistics."""
        return self._media

    @property
    def encrypted(self) -> bool:
        """Whether the media is SRTP."""
        return self._carrier.encrypted

    @property
    def counts(self) -> LegCounts:
        """Counters for metrics."""
        order, carried = self._media.receiver.counts, self._carrier.counts
        return LegCounts(
            received=carried.received,
            lost=order.lost,
            late=order.late,
            duplicate=order.duplicate,
            restarts=order.restarts,
            sent=carried.sent,
            unsent=carried.unsent,
            foreign=carried.foreign,
            refused=carried.refused + carried.malformed + self._media.receiver.refused,
        )

    async def connected(self) -> None:
        """See ``Leg``. Raises ``LegError``, after which the leg is over."""
        waiting = (self._established, self._ended)
        await asyncio.wait(waiting, timeout=ESTABLISH_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            raise LegError("the leg is over")
        if not self._established.done():
            self._end("failed")
            raise LegError("signalling did not say in time that the call stands")

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """A telephone shows no events: they are dropped; see ``Leg``."""

    def send_digits(self, digits: str) -> None:
        """Press keys, one after the other; the playout waits meanwhile.

        Raises ``ValueError`` for what is no key, when too many wait, and when the far end takes
        none.
        """
        self._digits_out.press(digits)

    async def transfer(self, request: TransferRequest) -> TransferResult:
        """See ``Leg``."""
        if self.on_transfer is None:
            return TransferResult(False, 501, "Not Implemented")
        return await self.on_transfer(request)

    async def closed(self) -> LegEnd:
        """See ``Leg``."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Say goodbye and free the ports. Idempotent."""
        self.release()

    def release(self) -> None:
        """``close`` at once: nothing in it waits."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._established.done():
                self._media.goodbye()
            self._end("closed")
            self._media.close()
        finally:
            self._carrier.close()
            self._on_closed()

    def _apply(self, agreed: Agreed) -> None:
        resumed = self.on_hold and not agreed.held
        self._agreed = agreed
        plan = _plan(agreed)
        self._carrier.agree(
            agreed.remote,
            agreed.remote_rtcp,
            agreed.crypto,
            plan.types,
            muxed=agreed.rtcp_mux,
            held=agreed.held,
            signalling=self._signalling,
        )
        self.playout.retune(agreed.codec.playout_rate)
        self._media.agree(plan)
        if agreed.dtmf is not None:
            self._digits_in.agree(agreed.dtmf[1])
            self._digits_out.agree(*agreed.dtmf)
        else:
            self._digits_out.agree(None, agreed.codec.clock_rate)
        self.on_hold = agreed.held
        self._media.sends = agreed.sends
        # What plays to a caller on hold is music.
        self._media.receives = agreed.receives and not agreed.held
        if resumed:
            self._media.receiver.forget()

    def _end(self, reason: LegEnd) -> None:
        self._media.stop()
        if not self._ended.done():
            self._ended.set_result(reason)


def _plan(agreed: Agreed) -> Plan:
    events = {agreed.dtmf_receive, agreed.dtmf and agreed.dtmf[0]} - {None}
    return Plan(
        send=agreed.codec,
        receive=agreed.receive_types,
        # Some far ends send events under our number, some under theirs.
        events=frozenset(n for n in events if n is not None and n not in agreed.receive_types),
        comfort=agreed.comfort_noise,
        comfort_out=agreed.comfort_noise,
        ptime=agreed.ptime,
    )


def _ignore(_: object) -> None:
    pass


def _nothing() -> None:
    pass
