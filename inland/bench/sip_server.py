"""A worker's phone media with its signalling, and nothing else: every packet decoded, a frame
encoded and sent each 20 ms.

``python -m inland.bench.sip_server``: order ``{"speech": file, "codec": …, "srtp": …}``, answer
``{"uri": …}``; the questions ``begin`` and ``end`` enclose the measured window, ``report`` asks
what happened in it, ``profile`` and ``profiled`` enclose the run that the stages come from.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time

from edge.clock import SystemClock
from edge.media.frames import Samples
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec
from edge.transport.sip.core.events import Confirmed, Ended, SessionEvent
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from edge.transport.sip.media.ports import PortsExhausted
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.user_agent import UserAgent
from inland.bench import child
from inland.bench.serving import HOST
from inland.bench.sip_stages import StageSampler
from inland.bench.speech import load

PORTS = range(20_000, 40_000)
"""UDP ports of media, taken at random."""
CHUNK_FRAMES = 25
"""Frames pushed at once: half a second, as a voice makes audio ahead of its playout."""


class Line:
    """One call that listens to everything and never stops speaking."""

    def __init__(self, session: Session, leg: SipLeg, speech: Samples, start: int) -> None:
        self.leg = leg
        self.frames = 0
        self._speech = speech
        self._chunk = leg.playout.frame * CHUNK_FRAMES
        self._position = start % (len(speech) // self._chunk) * self._chunk
        leg.on_audio = self.heard
        self.speak()

    def heard(self, frame: Samples) -> None:
        """A frame of the caller's."""
        self.frames += 1
        if self.leg.playout.queued < self._chunk:
            self.speak()

    def speak(self) -> None:
        """Push the next half second."""
        end = self._position + self._chunk
        self.leg.playout.push(self._speech[self._position : end])
        self._position = end if end + self._chunk <= len(self._speech) else 0


class PhoneServer:
    """Answers every INVITE and keeps its line until the BYE."""

    def __init__(
        self, media: SipMedia, ticker: Ticker, speech: Samples, policy: MediaPolicy
    ) -> None:
        self._media = media
        self._ticker = ticker
        self._speech = speech
        self._policy = policy
        self._lines: dict[Line, None] = {}
        self._answered = 0
        self._began = (0.0, 0)
        self._counted: child.Json = {}
        self._sampler = StageSampler()

    def invited(self, session: Session) -> None:
        """A call comes in."""
        try:
            leg, description = self._media.answer(session.sdp or b"", self._policy)
        except (OfferError, PortsExhausted):
            session.reject(488)
            return
        self._answered += 1
        line = Line(session, leg, self._speech, self._answered)
        self._lines[line] = None

        def happened(event: SessionEvent) -> None:
            if isinstance(event, Confirmed):
                leg.establish()
            elif isinstance(event, Ended):
                leg.hung_up()
                leg.release()
                self._lines.pop(line, None)

        session.on_event = happened
        session.accept(description)

    async def respond(self, question: child.Json) -> child.Json:
        """See the module."""
        match question["ask"]:
            case "begin":
                for line in self._lines:
                    line.frames = 0
                self._began = (time.monotonic(), self._ticker.late)
            case "end":
                began, late = self._began
                refused = sum(line.leg.counts.refused for line in self._lines)
                self._counted = {
                    "frames": sum(line.frames for line in self._lines),
                    "seconds": time.monotonic() - began,
                    "late_ticks": self._ticker.late - late,
                    "refused": refused,
                    "encrypted": sum(line.leg.encrypted for line in self._lines),
                }
            case "report":
                return self._counted
            case "profile":
                self._sampler.start()
            case _:
                return {"samples": self._sampler.stop()}
        return {}


async def serve(order: child.Json) -> None:
    """Serve until standard input ends."""
    clock, ticker = SystemClock(), Ticker()
    policy = MediaPolicy(
        codecs=(order["codec"],), srtp="required" if order["srtp"] else "off", prefer="ours"
    )
    speech = load(order["speech"], Codec(order["codec"], 0).playout_rate)
    media = SipMedia(HOST, PORTS, None, ticker, clock)
    server = PhoneServer(media, ticker, speech, policy)
    agent = UserAgent(
        # One source makes all the calls here: the bound for strangers is not what is measured.
        ListenSettings(udp=((HOST, 0),), trusted=(ipaddress.ip_network(f"{HOST}/32"),)),
        clock,
        user_agent="Inland-bench",
        on_invite=server.invited,
    )
    await agent.start()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(agent.run())
        ticking = group.create_task(ticker.run())
        media.start()
        _, (_, port) = agent.listeners[0]
        child.answer({"uri": f"sip:bench@{HOST}:{port}"})
        try:
            await child.serve_questions(server.respond)
        finally:
            await agent.close(0.0)
            await media.close()
            ticking.cancel()
            serving.cancel()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
