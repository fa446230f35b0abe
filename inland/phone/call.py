"""One phone call of the headless caller, from dialling to its last record."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from edge.clock import Clock, SystemClock
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec
from edge.transport.sip.core.events import Ended, SessionEvent
from edge.transport.sip.core.flow import destination_of
from edge.transport.sip.core.refer import Referral
from edge.transport.sip.media.ports import PortsExhausted
from edge.transport.sip.net.errors import NetError
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri
from inland.caller.errors import UnreachableError
from inland.caller.meter import percentile
from inland.caller.records import Note
from inland.caller.script import BargeIn, Line, PlayFile, Script, Speak
from inland.caller.session import running, subscribed
from inland.caller.talk import Rendered
from inland.caller.utterances import Utterances, resampled
from inland.phone.options import PhoneOptions, parse_target
from inland.phone.outcome import result, why_over
from inland.phone.records import Dialled, Held, PhoneEnded, PhoneRecord, Redirected, Transferred
from inland.phone.redirects import redirections
from inland.phone.talk import PhoneTalk
from inland.phone.telephone import PhoneLine, Telephone, telephone
from inland.phone.watch import LineWatch
from inland.phone.way import way_to

MAX_CALLS = 8
"""INVITEs of one call: redirections and transfers end somewhere."""
QUIET_SECONDS = 5.0
"""After which somebody who waits is told that nothing rings."""
HOLD_SECONDS = 3.0
FAREWELL_SECONDS = 3.0
"""How long a far end that has given us away may take to hang up itself."""
CARRIED = ("replaces", "user-to-user")
"""Headers of a transfer that go into the new INVITE (RFC 3891, RFC 7433)."""


@dataclass(frozen=True, slots=True)
class _Over:
    """A line's session has ended."""

    line: PhoneLine


@dataclass(frozen=True, slots=True)
class _Asked:
    """The far end wants to give us to somebody else."""

    referral: Referral


_Happening: TypeAlias = _Over | _Asked


class PhoneCaller:
    """A phone call made by a program. Use it once: ``ended = await PhoneCaller(…).run(script)``.

    ``on_record`` hears every record as it happens.
    """

    def __init__(
        self,
        options: PhoneOptions,
        voice: Utterances,
        *,
        clock: Clock | None = None,
        on_record: Callable[[PhoneRecord], None] | None = None,
    ) -> None:
        self._options = options
        self._utterances = voice
        self._clock = clock or SystemClock()
        self._on_record = on_record
        self._stack = AsyncExitStack()
        self._inbox: asyncio.Queue[_Happening] = asyncio.Queue()
        self._lines: list[PhoneLine] = []
        self._phones: dict[PhoneLine, Telephone] = {}
        self._stopped: str | None = None
        self._rung_out = False
        self._talk: PhoneTalk | None = None

    def stop(self, reason: str = "interrupted") -> None:
        """Hang up, or stop calling; ``run`` then returns its last record."""
        self._stopped = self._stopped or reason
        for line in self._lines:
            line.hang_up()

    async def run(self, script: Script) -> PhoneEnded:
        """Call, follow the script, hang up. Raises a ``CallerError`` when nobody could be called,
        or when words cannot become audio."""
        audio = await self._rendered(script)
        talk = self._talk = PhoneTalk(
            script, audio, self._clock, self._emit, self.stop,
            record=self._options.record is not None,
        )  # fmt: skip
        ticker = Ticker()
        async with running(ticker), AsyncExitStack() as self._stack:
            longest = asyncio.get_running_loop().call_later(
                self._options.timeout, self.stop, "timeout"
            )
            try:
                with subscribed(ticker, talk.tick):
                    ended = await self._call(talk)
            finally:
                longest.cancel()
        if talk.recording is not None and self._options.record is not None:
            await asyncio.to_thread(talk.recording.write, self._options.record)
        self._emit(ended)
        return ended

    async def _rendered(self, script: Script) -> dict[int, dict[Line, Rendered]]:
        """Everything that may be said, at every rate that may be agreed on, so that nobody waits
        for it."""
        rates = {Codec(name, 0).playout_rate for name in self._options.codecs}
        audio: dict[int, dict[Line, Rendered]] = {rate: {} for rate in rates}
        for line in script.everything:
            match line:
                case Speak(text) | BargeIn(text=text):
                    heard = await self._utterances.words(text)
                case PlayFile(path):
                    heard = await self._utterances.file(path)
                case _:
                    continue
            for rate in rates:
                audio[rate][line] = Rendered(heard, await asyncio.to_thread(resampled, heard, rate))
        return audio

    # --- getting through ---------------------------------------------------------------------

    async def _call(self, talk: PhoneTalk) -> PhoneEnded:
        line = await self._get_through(talk)
        if line is None:
            return self._report(talk, "cancelled" if self._stopped is None else self._stopped)
        if line.stands:
            talk.begin(_clock_rate(line))
            line = await self._converse(talk, line)
        return self._report_of(talk, line, await line.over())

    async def _get_through(self, talk: PhoneTalk) -> PhoneLine | None:
        """The first line that stands, or the last that does not; None when nobody was called."""
        line: PhoneLine | None = None
        waiting = deque((self._options.uri,))
        tried: set[str] = set()
        while waiting and len(tried) < MAX_CALLS and self._stopped is None:
            uri = waiting.popleft()
            if str(uri) in tried:
                continue
            tried.add(str(uri))
            line = await self._dial(uri)
            self._listen(talk, line)
            await self._answered(line)
            if line.stands:
                break
            end = await line.over()
            further = redirections(end)
            for other in further:
                self._emit(Redirected(talk.now, end.status or 0, end.reason, str(other)))
            waiting.extendleft(reversed(further))
        return line

    async def _dial(self, uri: SipUri, headers: Sequence[tuple[str, str]] = ()) -> PhoneLine:
        """A call that is under way. Raises ``UnreachableError``."""
        options = self._options
        talk = self._talk
        assert talk is not None
        home = uri.host == options.uri.host
        try:
            host = await way_to(destination_of(uri), self._clock)
            phone = await self._stack.enter_async_context(
                telephone(
                    host=host,
                    policy=options.policy,
                    clock=self._clock,
                    tls=options.tls if home else None,
                    tls_host=uri.host,
                )
            )
            by = destination_of(uri).transport
            self._emit(Dialled(talk.now, str(uri), by, options.codecs, options.srtp))
            line = phone.dial(
                str(uri),
                user=options.caller,
                credentials=options.credentials if home else None,
                headers=headers,
            )
        except (NetError, MessageError, PortsExhausted, OSError) as error:
            raise UnreachableError(f"{uri} cannot be called: {error}") from error
        watch = LineWatch(line, talk, self._emit)

        def happened(event: SessionEvent) -> None:
            watch.happened(event)
            if isinstance(event, Ended):
                self._inbox.put_nowait(_Over(line))

        line.on_event = happened
        line.session.on_refer = self._asked
        self._lines.append(line)
        self._phones[line] = phone
        return line

    def _listen(self, talk: PhoneTalk, line: PhoneLine) -> None:
        talk.listen(line.leg)
        line.leg.media.on_packet = talk.packet

    async def _answered(self, line: PhoneLine) -> None:
        """Returns when the call stands or is over; it rings for as long as it may."""
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(self._options.ring, self._ring_out, line),
            loop.call_later(QUIET_SECONDS, self._nothing_rings, line),
        )
        try:
            await line.answered()
        finally:
            for timer in timers:
                timer.cancel()

    def _ring_out(self, line: PhoneLine) -> None:
        self._rung_out = True
        line.hang_up()

    def _nothing_rings(self, line: PhoneLine) -> None:
        if not line.progress and self._talk is not None:
            problem = self._problem(line)
            text = "nothing rings yet" + (f": {problem}" if problem else "; waiting")
            self._emit(Note(self._talk.now, text))

    # --- talking -----------------------------------------------------------------------------

    async def _converse(self, talk: PhoneTalk, line: PhoneLine) -> PhoneLine:
        """Until the call is over; returns the line that it ended on."""
        async with asyncio.TaskGroup() as group:
            holding = None
            if self._options.hold_after is not None:
                holding = group.create_task(self._hold(talk, line, self._options.hold_after))
            while line.stands:
                happening = await self._inbox.get()
                match happening:
                    case _Over():
                        pass  # the loop looks whether it was this line
                    case _Asked(referral):
                        line = await self._transfer(talk, line, referral)
                    case _:
                        assert_never(happening)
            if holding is not None:
                holding.cancel()
        return line

    async def _hold(self, talk: PhoneTalk, line: PhoneLine, after: float) -> None:
        """Hold once, between two utterances, and resume."""
        await asyncio.sleep(after)
        await talk.said()
        talk.pause()
        if await line.reoffer("sendonly"):
            self._emit(Held(talk.now, "caller", True))
            await asyncio.sleep(HOLD_SECONDS)
            if await line.reoffer("sendrecv"):
                self._emit(Held(talk.now, "caller", False))
            elif line.stands:
                self._emit(Note(talk.now, "the far end does not resume the call"))
        elif line.stands:
            self._emit(Note(talk.now, "the far end does not agree to a hold"))
        talk.go_on()

    def _asked(self, referral: Referral) -> bool:
        self._inbox.put_nowait(_Asked(referral))
        return True

    async def _transfer(self, talk: PhoneTalk, line: PhoneLine, referral: Referral) -> PhoneLine:
        """Go where the far end sends us; the line that the call goes on with."""
        target = referral.to.uri
        try:
            uri = parse_target(target)
            if len(self._lines) >= MAX_CALLS:
                raise ValueError("too many transfers")
        except ValueError:
            referral.refuse()
            self._emit(Transferred(talk.now, target, 603, "Decline"))
            return line
        referral.accept()
        self._emit(Transferred(talk.now, target, None, ""))
        carried = [each for each in referral.to.headers if each[0].lower() in CARRIED]
        try:
            other = await self._dial(uri, carried)
        except UnreachableError as error:
            referral.report(503)
            self._emit(Transferred(talk.now, target, 503, str(error)))
            return line
        await self._answered(other)
        if not other.stands:
            end = await other.over()
            status, reason = end.status or 503, end.reason
            referral.report(status, reason or None)
            self._emit(Transferred(talk.now, target, status, reason))
            return line
        referral.report(200)
        self._emit(Transferred(talk.now, target, 200, "OK"))
        line.leg.media.on_packet = None
        self._listen(talk, other)
        talk.begin(_clock_rate(other))
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, line.hang_up)
        return other

    # --- the end -----------------------------------------------------------------------------

    def _problem(self, line: PhoneLine) -> str:
        """Why nothing could be sent to the far end, if so."""
        dialled = SipUri.parse(line.session.request.uri)
        return self._phones[line].agent.problem(destination_of(dialled))

    def _report_of(self, talk: PhoneTalk, line: PhoneLine, end: Ended) -> PhoneEnded:
        answered = line.was_answered
        code, why = why_over(
            end,
            stopped=self._stopped,
            answered=answered,
            rung_out=self._rung_out,
            fault=line.fault,
            problem=self._problem(line),
            asked=self._options.credentials is not None,
        )
        if code == "hangup" and not talk.answers:
            code, why = "silent", "the call was answered, and nothing was ever heard"
        return self._report(talk, code, why, end.status, answered=answered)

    def _report(
        self,
        talk: PhoneTalk,
        code: str,
        why: str = "the call was taken back",
        status: int | None = None,
        *,
        answered: bool = False,
    ) -> PhoneEnded:
        left = talk.player.lines_left
        outcome = result(code, why, lines_left=left, answered=answered)
        counts = [line.leg.counts for line in self._lines]
        return PhoneEnded(
            t=talk.now,
            reason=code,
            exit_status=outcome.exit_status,
            why=outcome.why,
            status=status,
            script_finished=not left,
            lines_left=left,
            answers=talk.answers,
            wire_p50_ms=percentile(talk.wire_ms, 0.5),
            wire_p95_ms=percentile(talk.wire_ms, 0.95),
            wire_ms=tuple(talk.wire_ms),
            packets=sum(each.received for each in counts),
            lost=sum(each.lost for each in counts),
            gap_p50_ms=percentile(talk.gaps_ms, 0.5),
            gap_p99_ms=percentile(talk.gaps_ms, 0.99),
            gap_max_ms=max(talk.gaps_ms, default=None),
        )

    def _emit(self, record: PhoneRecord) -> None:
        if self._on_record is not None:
            self._on_record(record)


def _clock_rate(line: PhoneLine) -> int:
    return line.leg.media.receiver.codec.clock_rate
