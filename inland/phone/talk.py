"""The caller's side of a phone call: listens, decides, speaks, measures. Ticks drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, assert_never

from edge.clock import Clock
from edge.media.frames import FRAME_MS, LISTEN_RATE, Samples
from edge.media.playout import Playout
from edge.transport.rtp.packet import RtpPacket
from inland.caller.meter import GapMeter, Latency, WireMeter, audible
from inland.caller.mouth import Mouth
from inland.caller.player import AgentView, Finished, Move, Player, Stay
from inland.caller.recording import CALLER_RATE, Recording
from inland.caller.records import Note, Said, Wire
from inland.caller.script import (
    BargeIn,
    HangUp,
    Line,
    Pause,
    PlayFile,
    Press,
    Script,
    Speak,
    TypeIn,
)
from inland.caller.talk import Rendered
from inland.phone.ear import Ear
from inland.phone.records import KeyHeard, Moved, PhoneRecord
from inland.phone.resampling import Resampler

Audio: TypeAlias = Mapping[int, Mapping[Line, Rendered]]
"""What may be said, by the rate of the playout that sends it, Hz."""

FRAME_SECONDS = FRAME_MS / 1000


class TalkLeg(Protocol):
    """What a talk needs of a phone call's media (``edge.transport.sip.media.leg.SipLeg``)."""

    on_audio: Callable[[Samples], None]
    on_digit: Callable[[str], None]

    @property
    def playout(self) -> Playout:
        """What the far end is about to hear."""
        ...

    def send_digits(self, digits: str) -> None:
        """Press keys. Raises ``ValueError`` when the far end takes none."""
        ...


class PhoneTalk:
    """``listen`` joins it to a leg, ``begin`` says that the call stands: from then on it follows
    the script, until ``on_over`` is called, once, with the reason. ``pause`` and ``go_on`` are
    around a hold."""

    def __init__(
        self,
        script: Script,
        audio: Audio,
        clock: Clock,
        emit: Callable[[PhoneRecord], None],
        on_over: Callable[[str], None],
        *,
        record: bool = False,
    ) -> None:
        self.player = Player(script)
        self.recording = Recording() if record else None
        self.wire_ms: list[float] = []
        """Of each answer."""
        self.answers = 0
        self._audio = audio
        self._clock = clock
        self._began_at = clock.monotonic()
        self._emit = emit
        self._on_over = on_over
        self._meter = WireMeter()
        self._gaps: list[GapMeter] = []
        self._ear = Ear(self.now)
        self._leg: TalkLeg | None = None
        self._mouth: Mouth | None = None
        self._resampler = Resampler(LISTEN_RATE, CALLER_RATE)
        self._live = False
        self._over = False
        self._barging = False
        self._answering = False
        self._last_packet: float | None = None
        self._moving: tuple[str, str] | None = None
        self._silent = asyncio.Event()

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return self._clock.monotonic() - self._began_at

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        """Milliseconds between packets, over all legs."""
        return tuple(gap for meter in self._gaps for gap in meter.gaps)

    @property
    def speaking(self) -> bool:
        """Whether the caller is in the middle of something."""
        return self._mouth is not None and self._mouth.busy

    async def said(self) -> None:
        """Returns when the caller is not in the middle of something."""
        self._silent.clear()
        await self._silent.wait()

    # --- legs --------------------------------------------------------------------------------

    def listen(self, leg: TalkLeg) -> None:
        """Hear this leg from now on, and no other; what was being said to that is cut off."""
        if self._leg is not None:
            self._leg.on_audio, self._leg.on_digit = _deaf, _deaf
            self._leg.playout.flush()
        self._leg = leg
        self._live = False
        self._mouth = Mouth(leg.playout, self._began, self._fell_silent)
        leg.on_audio = self._hear
        leg.on_digit = lambda key: self._emit(KeyHeard(self.now, key))

    def begin(self, clock_rate: int) -> None:
        """The call stands: it is the agent's turn. ``clock_rate`` is that of its RTP, Hz."""
        self._gaps.append(GapMeter(clock_rate))
        self._answering = False
        self._ear.moved(self.now)
        self._live = True

    def pause(self) -> None:
        """Do nothing for now."""
        self._live = False

    def go_on(self) -> None:
        """Do as before; what was silence until now says nothing."""
        self._ear.silence_begins(self.now)
        self._live = True

    def moved(self, before: str, after: str) -> None:
        """The far end's media has another address; told when its first packet is here."""
        first = before if self._moving is None else self._moving[0]
        self._moving = (first, after)

    # --- what comes in -----------------------------------------------------------------------

    def _hear(self, frame: Samples) -> None:
        now, loud = self.now, audible(frame)
        self._measured(self._meter.agent_frame(now, loud))
        if loud:
            self._ear.heard(now, FRAME_SECONDS)
            waiting = self._live and not self._answering and not self.speaking
            if waiting and self._view().answered:
                self._answering = True
                self.answers += 1
        if self.recording is not None:
            self.recording.agent.add(now, self._resampler.more(frame))

    def packet(self, packet: RtpPacket, at: float) -> None:
        """A packet of the far end came ``at`` so many seconds of the clock."""
        if self._moving is not None:
            silent = at - (at if self._last_packet is None else self._last_packet)
            self._emit(Moved(self.now, *self._moving, round(silent * 1000, 1)))
            self._moving = None
        self._last_packet = at
        if self._gaps:
            self._gaps[-1].packet(at, packet.timestamp)

    def _measured(self, found: tuple[Latency, ...]) -> None:
        for latency in found:
            if latency.kind == "answer":
                self.wire_ms.append(round(latency.ms, 1))
            self._emit(Wire(self.now, latency.kind, round(latency.ms, 1)))

    # --- what goes out -----------------------------------------------------------------------

    def tick(self) -> None:
        """Every 20 ms."""
        if not self._live or self._over or self._mouth is None:
            return
        self._measured(self._meter.silence(self.now))
        if not self._mouth.busy:
            self._silent.set()
            self._act(self._mouth)

    def _view(self) -> AgentView:
        return self._ear.view(self.now)

    def _act(self, mouth: Mouth) -> None:
        decision = self.player.decide(self._view(), self.now)
        match decision:
            case Stay():
                return
            case Finished():
                self._over = True
                self._on_over("hangup")
            case Move(line, reason):
                self._move(mouth, line, reason)
            case _:
                assert_never(decision)

    def _move(self, mouth: Mouth, line: Line, reason: str) -> None:
        self._meter.moved()
        self._ear.moved(self.now)
        self._answering = False
        self._barging = isinstance(line, BargeIn) and reason == "barge-in"
        match line:
            case Speak(text):
                self._say(mouth, line, Said(self.now, text, "speech", reason))
            case BargeIn(text=text):
                how = "barge" if self._barging else "speech"
                self._say(mouth, line, Said(self.now, text, how, reason))
            case PlayFile(path):
                self._say(mouth, line, Said(self.now, path.name, "file", reason))
            case Press(keys):
                self._press(keys, reason)
            case TypeIn() | Pause() | HangUp():
                raise AssertionError("no telephone types, and the player keeps the others")
            case _:
                assert_never(line)

    def _say(self, mouth: Mouth, line: Line, said: Said) -> None:
        assert self._leg is not None
        audio = self._audio[self._leg.playout.rate][line]
        self._emit(said)
        mouth.say(audio.sent)
        if self.recording is not None:
            self.recording.caller.add(self.now, audio.heard)

    def _press(self, keys: str, reason: str) -> None:
        assert self._leg is not None
        self._emit(Said(self.now, keys, "keyed", reason))
        try:
            self._leg.send_digits(keys)
        except ValueError as error:
            self._emit(Note(self.now, f"not pressed: {error}"))

    def _began(self) -> None:
        if self._barging:
            self._meter.barged(self.now)

    def _fell_silent(self) -> None:
        # What was heard while the caller spoke is no answer to what it said.
        self._ear.moved(self.now)
        self._answering = False
        self._meter.asked(self.now)


def _deaf(_: object) -> None:
    pass
