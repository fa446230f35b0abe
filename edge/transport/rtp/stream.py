"""The media of one connection, driven by the ticker: out, in, reports, and the watch."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Protocol

from edge.clock import Clock
from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.plan import Plan
from edge.transport.rtp.receiver import AudioReceiver
from edge.transport.rtp.reports import Reporter
from edge.transport.rtp.sender import AudioSender

logger = logging.getLogger(__name__)

TICKS_PER_SECOND = 50


class Carrier(Protocol):
    """Takes packets to one far end and brings its packets, whichever way they go.

    ``on_rtp`` and ``on_rtcp`` are called inline, with packets that were authenticated where the
    leg is encrypted.
    """

    on_rtp: Callable[[RtpPacket], None]
    on_rtcp: Callable[[bytes], None]

    def send_rtp(self, packet: bytes) -> bool:
        """Send one RTP packet; whether the network took it. Never blocks, never raises."""
        ...

    def send_rtcp(self, packet: bytes) -> None:
        """Send one compound RTCP packet; never blocks, never raises."""
        ...

    def watch(self) -> None:
        """Called once a second: the place to notice that the far end is gone."""
        ...


class MediaStream:
    """Joins a :class:`Carrier`, a sender and a receiver to the shared ticker.

    ``sends`` and ``receives`` follow the agreed direction. With ``holds`` a direction that is off
    stands still: the playout waits, and silence is heard. Frames at ``rate`` Hz go to ``on_frame``;
    ``on_packet`` sees each packet with its arrival time, before decoding; ``on_tick`` is called
    every 20 ms with the time; ``on_fault`` is called when one of the callbacks raised, and when
    audio keeps coming faster than time.
    """

    def __init__(
        self,
        carrier: Carrier,
        codec: Codec,
        playout: Playout,
        rate: int,
        on_frame: Callable[[Samples], None],
        clock: Clock,
        *,
        continuous: bool = False,
    ) -> None:
        self.sender = AudioSender(codec, playout, continuous=continuous)
        self.receiver = AudioReceiver(codec, rate, on_frame)
        self.reporter = Reporter(self.sender, self.receiver)
        self.sends = True
        self.receives = True
        self.holds = False
        self.on_packet: Callable[[RtpPacket, float], None] | None = None
        self.on_tick: Callable[[float], None] | None = None
        self.on_fault: Callable[[], None] = _nothing
        self._carrier = carrier
        self._clock = clock
        self._unsubscribe: Callable[[], None] = _nothing
        self._running = False
        # Reports of many calls must not fall into one tick.
        self._count = secrets.randbelow(TICKS_PER_SECOND)
        carrier.on_rtp = self._received
        carrier.on_rtcp = self._report_received

    def agree(self, plan: Plan) -> None:
        """Carry what ``plan`` says from now on."""
        self.sender.agree(plan)
        self.receiver.agree(plan)

    def start(self, ticker: Ticker) -> None:
        """Media flows from now on."""
        if not self._running:
            self._running = True
            self._unsubscribe = ticker.subscribe(self.tick)

    def stop(self) -> None:
        """No callback runs after this. Idempotent."""
        self._running = False
        self._unsubscribe()

    def close(self) -> None:
        """Stop, and free the codecs."""
        self.stop()
        try:
            self.sender.close()
        finally:
            self.receiver.close()

    def goodbye(self) -> None:
        """Tell the far end that our stream ends."""
        self._carrier.send_rtcp(self.reporter.goodbye(self._clock.monotonic()))

    def tick(self) -> None:
        """One step of 20 ms."""
        if not self._running:
            return
        try:
            self._step()
        except Exception:
            # Marks and frames run the call's own code. A fault in one call must end that call, not
            # the ticker of all.
            self._fail()

    def _step(self) -> None:
        if self.sends:
            for packet in self.sender.tick():
                self._carrier.send_rtp(packet)
        elif self.holds:
            self.sender.skip()
        else:
            self.sender.tick()
        now = self._clock.monotonic()
        if self.receives:
            self.receiver.tick(now)
        elif self.holds:
            self.receiver.silence()
        if self.on_tick is not None:
            self.on_tick(now)
        self._count += 1
        if self._count % TICKS_PER_SECOND == 0 and self._running:
            self._carrier.send_rtcp(self.reporter.report(now, self._clock.wall()))
            self._carrier.watch()

    def _received(self, packet: RtpPacket) -> None:
        if self._running and self.receives:
            now = self._clock.monotonic()
            try:
                if self.on_packet is not None:
                    self.on_packet(packet, now)
                self.receiver.packet(packet, now)
            except Exception:
                # As in ``tick``: here it would otherwise end nothing and repeat with each packet.
                self._fail()
                return
            if self.receiver.flooded:
                logger.warning(
                    "a call ended because its audio came faster than time",
                    extra={"count": self.receiver.excess},
                )
                self.stop()
                self.on_fault()

    def _fail(self) -> None:
        logger.exception("a call's media ended by a fault in its callbacks")
        self.stop()
        self.on_fault()

    def _report_received(self, data: bytes) -> None:
        self.reporter.received(data, self._clock.monotonic(), self._clock.wall())


def _nothing() -> None:
    pass
