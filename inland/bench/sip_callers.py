"""All telephones of the SIP bench in one process.

``python -m inland.bench.sip_callers``: order ``{"uri": …, "speech": file, "codec": …, "srtp": …}``;
questions ``connect`` with ``calls``, ``begin``, ``end``, ``report`` and ``hang_up``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

from edge.clock import SystemClock
from edge.media.frames import frame_samples
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec, CodecName, make_encoder
from edge.transport.sip.core.events import Answered, Ended, SessionEvent
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.poll import SocketPoll
from edge.transport.sip.media.ports import PortRange, PortsExhausted
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr
from inland.bench import child
from inland.bench.errors import BenchError
from inland.bench.gaps import gaps_of
from inland.bench.serving import HOST
from inland.bench.sip_phone import LightPhone
from inland.bench.speech import load
from inland.caller.meter import percentile

PORTS = range(40_000, 60_000)
AT_ONCE = 4
"""Calls that are being set up at one time."""
SETUP_SECONDS = 10.0
HANG_UP_SECONDS = 5.0


class Call:
    """One call: its session, its media."""

    def __init__(self, session: Session, phone: LightPhone) -> None:
        self.session = session
        self.phone = phone
        self.silence: Callable[[], None] = _nothing
        loop = asyncio.get_running_loop()
        self.stands: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        session.on_event = self._happened

    def _happened(self, event: SessionEvent) -> None:
        if isinstance(event, Answered) and not self.stands.done():
            try:
                self.phone.answered(event.sdp or b"")
            except OfferError as error:
                self.stands.set_exception(BenchError(f"an answer is of no use: {error.detail}"))
            else:
                self.stands.set_result(None)
        elif isinstance(event, Ended):
            if not self.stands.done():
                self.stands.set_exception(BenchError(f"a call ended: {event.cause}"))
            if not self.over.done():
                self.over.set_result(None)


class Callers:
    """Dials, and counts."""

    def __init__(self, order: child.Json, agent: UserAgent, ticker: Ticker) -> None:
        self._target: str = order["uri"]
        self._codec: CodecName = order["codec"]
        self._srtp: bool = order["srtp"]
        self._packets = encoded(order["speech"], self._codec)
        self._agent = agent
        self._ticker = ticker
        self._ports = PortRange(HOST, PORTS, SystemClock())
        self._poll = SocketPoll()
        self._calls: list[Call] = []
        self._began, self._late = 0.0, 0
        self._counted: child.Json = {}
        self._gaps: list[list[float]] = []
        ticker.each_step(self._poll.poll)

    async def respond(self, question: child.Json) -> child.Json:
        """See the module."""
        match question["ask"]:
            case "connect":
                return await self._connect(question["calls"])
            case "begin":
                for call in self._calls:
                    call.phone.begin()
                self._began, self._late = time.monotonic(), self._ticker.late
                return {}
            case "end":
                return self._end()
            case "report":
                gaps = gaps_of(self._gaps)
                return {**self._counted, "gaps": dataclasses.asdict(gaps) if gaps else None}
            case _:
                await self.close()
                return {}

    async def _connect(self, calls: int) -> child.Json:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> float:
            async with turn:
                return await self._dial(number)

        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                dialling = [group.create_task(one(number)) for number in range(calls)]
        except* (BenchError, PortsExhausted, TimeoutError) as errors:
            raise BenchError(f"a call did not come about: {errors.exceptions[0]}") from None
        seconds = time.monotonic() - began
        took = [task.result() * 1000 for task in dialling]
        return {"connect_ms": percentile(took, 0.5), "seconds": seconds}

    async def _dial(self, number: int) -> float:
        began = time.monotonic()
        uri = SipUri.parse(self._target)
        phone = LightPhone(self._ports.take(), self._poll, self._packets, 37 * number)
        session = self._agent.core.invite(
            self._target,
            destination=Destination("udp", uri.host, uri.port),
            from_=NameAddr(f"sip:caller{number}@{HOST}"),
            sdp=phone.offer(self._codec, srtp=self._srtp),
        )
        call = Call(session, phone)
        self._calls.append(call)
        async with asyncio.timeout(SETUP_SECONDS):
            await call.stands
        call.silence = self._ticker.subscribe(phone.tick)
        return time.monotonic() - began

    def _end(self) -> child.Json:
        """Stop counting; what was counted is asked for when nothing else is measured any more."""
        phones = [call.phone for call in self._calls]
        if not all(phone.proven for phone in phones):
            raise BenchError("the server's packets do not come, or do not authenticate")
        self._gaps = [list(phone.gaps) for phone in phones]
        self._counted = {
            "seconds": time.monotonic() - self._began,
            "sent": sum(phone.sent for phone in phones),
            "received": sum(phone.received for phone in phones),
            "lost": sum(phone.lost for phone in phones),
            "late_ticks": self._ticker.late - self._late,
        }
        return {}

    async def close(self) -> None:
        """Hang up every call."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.silence()
            call.session.end()
        if calls:
            await asyncio.wait([call.over for call in calls], timeout=HANG_UP_SECONDS)
        for call in calls:
            call.stands.cancel()
            call.phone.close()
            self._ports.give_back(call.phone.pair)


def encoded(path: str, codec: CodecName) -> list[bytes]:
    """A file of the codec's own rate as packets of 20 ms."""
    kind = Codec(codec, 0)
    samples, frame = load(path, kind.playout_rate), frame_samples(kind.playout_rate)
    encoder = make_encoder(kind)
    try:
        return [
            encoder.encode(samples[start : start + frame])
            for start in range(0, len(samples), frame)
        ]
    finally:
        encoder.close()


async def serve(order: child.Json) -> None:
    """Call until standard input ends."""
    ticker = Ticker()
    agent = UserAgent(
        ListenSettings(udp=((HOST, 0),)), SystemClock(), user_agent="Inland-bench-callers"
    )
    await agent.start()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(agent.run())
        ticking = group.create_task(ticker.run())
        callers = Callers(order, agent, ticker)
        child.answer({})
        try:
            await child.serve_questions(callers.respond)
        finally:
            await callers.close()
            await agent.close(0.0)
            ticking.cancel()
            serving.cancel()


def _nothing() -> None:
    pass


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
