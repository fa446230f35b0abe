"""The caller's side of a conversation, over one leg after another. Synchronous: ticks drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from edge.clock import Clock
from edge.events import JsonValue
from edge.media.frames import Samples
from inland.caller.conversation import Conversation
from inland.caller.dialler import CallLeg
from inland.caller.edge_events import SessionCreated
from inland.caller.meter import GapMeter, Latency, WireMeter, audible
from inland.caller.mouth import Mouth
from inland.caller.options import CallOptions
from inland.caller.peer import PeerStats
from inland.caller.player import AgentView, Finished, Move, Player, Stay
from inland.caller.recording import Recording
from inland.caller.records import Record, Said, Wire
from inland.caller.replica import FORMAT
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

STALL_SECONDS = 3.0
"""Without packet or event for so long, the edge counts as dead (docs/protocol.md, section 4)."""
DRILL_AFTER = 0.6
"""Seconds of an answer that are heard before a drill strikes."""
MAX_EVENTS = 20_000
"""Events and records kept for the report."""


@dataclass(frozen=True, slots=True)
class Over:
    """The call has ended, or is to be ended now."""

    reason: str
    by_edge: bool = False


@dataclass(frozen=True, slots=True)
class EdgeLost:
    """This leg is of no use any more."""

    why: str
    cut: bool = False
    moved: bool = False
    """The edge said so: its region may not have the call any more."""


@dataclass(frozen=True, slots=True)
class KillDue:
    """The drill ``kill-worker`` is to happen now."""


Signal: TypeAlias = Over | EdgeLost | KillDue


@dataclass(frozen=True, slots=True)
class Rendered:
    """An utterance: ``heard`` at 24 kHz for people, ``sent`` at the rate of the leg's playout."""

    heard: Samples
    sent: Samples


class Talk:
    """Listens, decides, speaks, measures.

    ``attach`` prepares a leg, ``go_on`` lets the caller act on it; ``signal`` then returns what
    only the session can do something about, and the caller is still until the next ``go_on``.
    """

    def __init__(
        self,
        options: CallOptions,
        script: Script,
        audio: Mapping[Line, Rendered],
        clock: Clock,
        emit: Callable[[Record], None],
    ) -> None:
        self.conversation = Conversation()
        self.player = Player(script)
        self.recording = Recording() if options.record else None
        self.events: list[Mapping[str, JsonValue]] = []
        self._options = options
        self._audio = audio
        self._clock = clock
        self._began_at = clock.monotonic()
        self._emit = emit
        self._meter = WireMeter()
        self._gaps: list[GapMeter] = []
        self._stats = PeerStats(0, 0)
        self._leg: CallLeg | None = None
        self._mouth: Mouth | None = None
        self._created = asyncio.Event()
        self._live = False
        self._leg_since = 0.0
        self._signal: asyncio.Queue[Signal] = asyncio.Queue()
        self._moves = 0
        self._utterances_before = 0
        self._drill = options.drill
        self._barging = False

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return self._clock.monotonic() - self._began_at

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        return tuple(gap for meter in self._gaps for gap in meter.gaps)

    @property
    def stats(self) -> PeerStats:
        """Packets of every leg so far."""
        if self._leg is None:
            return self._stats
        last = self._leg.peer.stats()
        return PeerStats(self._stats.packets + last.packets, self._stats.lost + last.lost)

    async def signal(self) -> Signal:
        """What happened that the session must act on."""
        return await self._signal.get()

    def stop(self, reason: str) -> None:
        """End the call: with ``signal``, or as soon as it is next asked for."""
        self._raise(Over(reason))

    # --- legs --------------------------------------------------------------------------------

    def attach(self, leg: CallLeg) -> asyncio.Event:
        """Listen to ``leg`` from now on, and to no other; set when its session is there."""
        self.detach()
        self._leg = leg
        self._created = created = asyncio.Event()
        self.conversation.new_leg()
        gaps = GapMeter(leg.peer.clock_rate)
        self._gaps.append(gaps)

        def alive() -> bool:
            leg.last_sign = self._clock.monotonic()
            return leg is self._leg

        def on_audio(samples: Samples) -> None:
            # No sign of life: a peer may fill in silence by itself.
            if leg is self._leg:
                self._hear(samples)

        def on_message(message: Mapping[str, JsonValue]) -> None:
            if alive():
                self._read(message)

        def on_packet(at: float, timestamp: int) -> None:
            if alive():
                gaps.packet(at, timestamp)

        leg.peer.on_audio, leg.peer.on_message = on_audio, on_message
        leg.peer.on_packet = on_packet
        self._mouth = Mouth(leg.peer.playout, self._began, self._fell_silent)
        return created

    def detach(self) -> None:
        """Stop listening to the current leg, and say nothing more on it."""
        if self._leg is None:
            return
        self._stats = self.stats
        self._leg.peer.playout.flush()
        self._leg = None
        self._mouth = None
        self._live = False

    def unfinished(self) -> bool:
        """Whether the agent still owes the end of an answer to the caller's last move."""
        return self._moves > 0 and not self.conversation.answers

    def go_on(self) -> None:
        """Act on the attached leg. After a reconnect, what the edge never took in is said again."""
        created = self.conversation.session
        if self.unfinished() and created is not None and created.inland.resumed:
            committed = sum(1 for turn in created.inland.turns if turn.caller)
            if committed <= self._utterances_before:
                self.player.lost()
        self._leg_since = self.now
        self.carry_on()

    def carry_on(self) -> None:
        """Act again, on the same leg."""
        self._live = True

    # --- what comes in -----------------------------------------------------------------------

    def _hear(self, samples: Samples) -> None:
        now = self.now
        self._measured(self._meter.agent_frame(now, audible(samples)))
        if self.recording is not None:
            self.recording.agent.add(now, samples)

    def _read(self, message: Mapping[str, JsonValue]) -> None:
        if len(self.events) < MAX_EVENTS:
            self.events.append(message)
        for record in self.conversation.feed(message, self.now):
            self._emit(record)
        self._answer(message)
        if isinstance(self.conversation.session, SessionCreated):
            self._created.set()

    def _answer(self, message: Mapping[str, JsonValue]) -> None:
        """What an event of the edge asks this client at once."""
        conversation, leg = self.conversation, self._leg
        if leg is None:
            return
        created = conversation.session
        if message.get("type") == "session.created" and created is not None:
            if created.inland.carry == FORMAT:
                leg.peer.send({"type": "inland.carry"})
            else:
                conversation.replicas.drop()
        if message.get("type") == "inland.call.move" and self._moves_on:
            leg.peer.send({"type": "inland.call.moving", "number": conversation.move})

    @property
    def _moves_on(self) -> bool:
        """Whether the edge sent the call elsewhere, and the caller has what that takes."""
        held = self.conversation.replicas.held
        if held is None or not self._options.reconnect:
            return False
        return self.conversation.move == held.number

    def _measured(self, found: tuple[Latency, ...]) -> None:
        for latency in found:
            self._emit(Wire(self.now, latency.kind, round(latency.ms, 1)))

    # --- what goes out -----------------------------------------------------------------------

    def tick(self) -> None:
        """Every 20 ms."""
        leg, mouth = self._leg, self._mouth
        if not self._live or leg is None or mouth is None:
            return
        now = self.now
        self._measured(self._meter.silence(now))
        signal = self._trouble(leg, now)
        if signal is not None:
            self._raise(signal)
        elif not mouth.busy:
            self._act(leg, mouth, now)

    def _trouble(self, leg: CallLeg, now: float) -> Signal | None:
        ended = self.conversation.ended
        if self._moves_on:
            return EdgeLost("this region may not have the call any more", moved=True)
        if ended in ("draining", "lost") and self._options.reconnect:
            return EdgeLost(f"the edge said: {ended}")
        if ended is not None:
            return Over(ended, by_edge=True)
        if now > self._options.timeout:
            return Over("timeout")
        if self._clock.monotonic() - leg.last_sign > STALL_SECONDS:
            return EdgeLost("the edge went silent") if self._options.reconnect else Over("lost")
        return self._fault(now)

    def _fault(self, now: float) -> Signal | None:
        """What the drill asks for, once, in the middle of the answer it names."""
        drill, since = self._drill, self._meter.first_audible_since_move
        if drill is None or since is None or self._moves + 1 < drill.answer:
            return None
        if now - since < DRILL_AFTER:
            return None
        self._drill = None
        if drill.kind == "kill-worker":
            return KillDue()
        return EdgeLost("drill: this edge was cut off", cut=True)

    def _act(self, leg: CallLeg, mouth: Mouth, now: float) -> None:
        decision = self.player.decide(self._view(now), now)
        match decision:
            case Stay():
                return
            case Finished():
                self._raise(Over("hangup"))
            case Move(line, reason):
                self._move(leg, mouth, line, reason)
            case _:
                assert_never(decision)

    def _view(self, now: float) -> AgentView:
        conversation, meter = self.conversation, self._meter
        first, last = meter.first_audible_since_move, meter.last_audible
        listening = conversation.state == "listening"
        return AgentView(
            listening_for=now - conversation.state_since if listening else None,
            answered=conversation.answers > 0,
            quiet_for=now - max(last or 0.0, self._leg_since if last is None else 0.0),
            speaking_for=None if first is None else now - first,
            words=conversation.words,
            misheard=conversation.misheard,
        )

    def _move(self, leg: CallLeg, mouth: Mouth, line: Line, reason: str) -> None:
        self._moves += 1
        self._utterances_before = self.conversation.utterances
        self.conversation.moved()
        self._meter.moved()
        self._barging = isinstance(line, BargeIn) and reason == "barge-in"
        match line:
            case TypeIn(text):
                self._emit(Said(self.now, text, "typed", reason))
                leg.peer.send(typed(text))
            case Press(keys):
                self._emit(Said(self.now, keys, "keyed", reason))
                for key in keys:
                    leg.peer.send(pressed(key))
            case Speak(text):
                self._say(mouth, line, Said(self.now, text, "speech", reason))
            case BargeIn(text=text):
                how = "barge" if self._barging else "speech"
                self._say(mouth, line, Said(self.now, text, how, reason))
            case PlayFile(path):
                self._say(mouth, line, Said(self.now, path.name, "file", reason))
            case Pause() | HangUp():
                raise AssertionError("the player keeps these to itself")
            case _:
                assert_never(line)

    def _say(self, mouth: Mouth, line: Line, said: Said) -> None:
        audio = self._audio[line]
        self._emit(said)
        mouth.say(audio.sent)
        if self.recording is not None:
            self.recording.caller.add(self.now, audio.heard)

    def _began(self) -> None:
        if self._barging:
            self._meter.barged(self.now)

    def _fell_silent(self) -> None:
        self._meter.asked(self.now)

    def _raise(self, signal: Signal) -> None:
        self._live = False
        self._signal.put_nowait(signal)


def pressed(key: str) -> Mapping[str, JsonValue]:
    """The event of a key (docs/protocol.md, section 3)."""
    return {"type": "inland.dtmf", "digit": key}


def typed(text: str) -> Mapping[str, JsonValue]:
    """The event of a typed sentence (docs/protocol.md, section 3)."""
    return {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
        },
    }
