"""The turns of one call: the listener's events in, the agent's words out, the journal in between.

One exchange is two entries of the journal: what the caller said (with the dialog's state and the
tools that ran) as soon as the answer is known, and what was *heard* of the answer when it has been
played or cut off. An edge that dies in between loses no understood word.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias, assert_never

from edge.clock import Clock
from edge.dialog.conductor import Conductor
from edge.events import (
    Act,
    Expect,
    Handover,
    HandoverTarget,
    HangUp,
    Heard,
    Say,
    ToolCalled,
    ToolRecord,
    ToolReturned,
    Turn,
)
from edge.exchange import Answer, Ear, Exchange, Memory, Mouth
from edge.floor import Floor
from edge.handover import Handovers
from edge.metrics import CallMetrics
from edge.realtime import Event, event, function_call, turn_timings
from edge.session.errors import OutOfStep
from edge.speech.voice import VoiceError

log = logging.getLogger(__name__)

Publish = Callable[[Event], None]
Ending: TypeAlias = Literal["completed", "handover", "idle"]
"""How a dialog can end a call."""


class Conversation:
    """Takes turns until somebody ends it.

    Order: events are published in the order they happen; an exchange is finished, journal entries
    written, before the next begins. Cancelling :meth:`run` cuts the agent off and still writes what
    was heard. Raises what the journal raises (``StaleOwner`` when another node took over).
    """

    def __init__(
        self,
        *,
        conductor: Conductor,
        listener: Ear,
        speaker: Mouth,
        journal: Memory,
        publish: Publish,
        clock: Clock,
        metrics: CallMetrics,
        handovers: Handovers,
        turns: int = 0,
    ) -> None:
        self._conductor = conductor
        self._listener = listener
        self._speaker = speaker
        self._journal = journal
        self._publish = publish
        self._clock = clock
        self._metrics = metrics
        self._handovers = handovers
        self._turns = turns
        self.floor = Floor(
            publish,
            clock,
            on_interrupt=self._interrupt,
            on_hearing=partial(self._set_state, "hearing"),
        )
        """What the caller does goes here."""
        self._exchange: Exchange | None = None
        self._thinking: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._handing: tuple[Handover, HandoverTarget] | None = None
        self._step = ""
        self._state = ""
        self.on_notice: Callable[[str, bool], None] = _ignore_notice
        """Called when words that nobody may interrupt are over, and whether all were heard."""
        self.barge_ins = 0
        self.tool_calls = 0

    @property
    def turns(self) -> int:
        """Entries in the journal."""
        return self._turns

    async def run(self, *, resumed: bool) -> Ending:
        """Talk until the dialog ends it; returns why."""
        turn = self._turns + 1
        opening = self._conductor.resume(turn) if resumed else self._conductor.open(turn)
        await self._take_turn(opening, None)
        while self._ending is None:
            if self._handing is not None:
                await self._hand_over(*self._handing)
                continue
            self._set_state("listening")
            heard = await self.floor.next(self._conductor.silence_seconds)
            turn = self._turns + 1
            acts = (
                self._conductor.quiet(turn)
                if heard is None
                else self._conductor.respond(heard, turn)
            )
            await self._take_turn(acts, heard)
        return self._ending

    def stop_speaking(self) -> None:
        """The client asked the agent to be silent."""
        self._interrupt()

    def _interrupt(self) -> None:
        """Barge-in, in one step: playout, voice and dialog stop now; a running tool goes on."""
        exchange = self._exchange
        if exchange is None or exchange.protected or exchange.cut:
            return
        if exchange.answers and not exchange.answers[-1].complete:
            exchange.cut = True
            self.barge_ins += 1
            self._metrics.barge_in()
            exchange.answers[-1].cut()
            self._publish(event("output_audio_buffer.cleared", response_id=exchange.response_id))
        if self._thinking is not None and not exchange.calling:
            self._thinking.cancel()

    # --- one exchange ------------------------------------------------------------------------

    async def _hand_over(self, handover: Handover, target: HandoverTarget) -> None:
        """Give the caller away; when nobody takes them, go on.

        Meanwhile the agent is silent, and what is heard (hold music, "hello?") is not for it.
        """
        self._handing = None
        self._set_state("transferring")
        with self.floor.away():
            missed = await self._handovers.attempt(handover, target)
        if missed is None:
            self._ending = "handover"
            return
        acts = self._conductor.transfer_failed(self._turns + 1, missed.why)
        await self._take_turn(acts, None, missed.record)

    async def _take_turn(
        self, acts: AsyncIterator[Act], heard: Heard | None, *tools: ToolRecord
    ) -> None:
        exchange = Exchange(heard, f"resp_{secrets.token_hex(8)}", tools=list(tools))
        self._exchange = exchange
        self._set_state("thinking")
        try:
            async with asyncio.TaskGroup() as group:
                thinking = group.create_task(self._think(acts, exchange, group))
                self._thinking = thinking
                await asyncio.wait([thinking])
                self._thinking = None
                if heard is not None and (thinking.cancelled() or thinking.exception() is None):
                    await self._remember_caller(exchange)
        finally:
            self._thinking = None
            self._exchange = None
            self._listener.agent_speaking = False
            self._listen(exchange)
            for answer in exchange.answers:
                answer.cut()
            await self._conclude(exchange)

    async def _think(
        self, acts: AsyncIterator[Act], exchange: Exchange, group: asyncio.TaskGroup
    ) -> None:
        try:
            async with aclosing(acts) as stream:  # type: ignore[type-var]
                async for act in stream:
                    await self._perform(act, exchange, group)
        finally:
            if exchange.answers:
                exchange.answers[-1].finish()

    async def _perform(self, act: Act, exchange: Exchange, group: asyncio.TaskGroup) -> None:
        match act:
            case Say():
                await self._say(act, exchange, group)
            case Expect(expectation):
                self._step = expectation.name
                self.floor.keys_wanted = expectation.keys
                exchange.expectation = expectation
                if not exchange.answers or exchange.answers[-1].first_played_at is not None:
                    self._listen(exchange)
            case ToolCalled():
                exchange.calling[act.call_id] = act
                self.tool_calls += 1
                # The state that knows of the call is kept before the tool runs, for each one.
                if exchange.remembered:
                    await self._commit("", "", exchange)
                await self._remember_caller(exchange)
                self._publish(
                    function_call(exchange.response_id, act.call_id, act.name, dict(act.arguments))
                )
            case ToolReturned():
                self._tool_returned(act, exchange)
            case Handover():
                await self._promise_person(act, exchange, group)
            case HangUp(reason):
                self._ending = "idle" if reason == "idle" else "completed"
            case _:
                assert_never(act)

    async def _promise_person(
        self, act: Handover, exchange: Exchange, group: asyncio.TaskGroup
    ) -> None:
        """The transfer itself waits until all was said and the exchange is in the journal."""
        target = self._handovers.target(act)
        if target is None:
            self._publish(event("inland.handover", reason=act.reason))
            self._ending = "handover"
            return
        self._handing = (act, target)
        if target.announce:
            await self._say(Say(target.announce, interruptible=False), exchange, group)

    def _tool_returned(self, act: ToolReturned, exchange: Exchange) -> None:
        called = exchange.calling.pop(act.call_id, None)
        arguments = called.arguments if called is not None else {}
        exchange.tools.append(ToolRecord(act.call_id, act.name, arguments, act.ok, act.output))
        self._metrics.tool(act.ok)
        self._publish(
            event(
                "inland.tool.result",
                call_id=act.call_id,
                name=act.name,
                ok=act.ok,
                output=act.output,
            )
        )

    async def _say(self, act: Say, exchange: Exchange, group: asyncio.TaskGroup) -> None:
        if exchange.first_words_at is None:
            exchange.first_words_at = self._clock.monotonic()
            self._publish(
                event(
                    "response.created",
                    response={"id": exchange.response_id, "status": "in_progress"},
                )
            )
        playing = exchange.playing is not None and not exchange.playing.done()
        if not act.interruptible or not playing or exchange.cut:
            await self._next_answer(exchange, group, protected=not act.interruptible)
        exchange.answers[-1].say(act.text)
        if self.floor.typed_ahead:
            self._interrupt()
        if not act.interruptible:
            await self._play_out(exchange)
            exchange.protected = False
            self.on_notice(act.text, exchange.answers[-1].complete)

    async def _next_answer(
        self, exchange: Exchange, group: asyncio.TaskGroup, *, protected: bool
    ) -> None:
        """Begin an answer, after the one before and after a caller who is speaking."""
        await self._play_out(exchange)
        exchange.protected = protected
        await self.floor.free()
        exchange.cut = False
        exchange.answers.append(self._begin_answer(exchange, group))

    async def _play_out(self, exchange: Exchange) -> None:
        """Returns when the newest answer was played or cut."""
        if exchange.playing is not None:
            exchange.answers[-1].finish()
            await asyncio.wait([exchange.playing])

    def _begin_answer(self, exchange: Exchange, group: asyncio.TaskGroup) -> Answer:
        answer = self._speaker.begin()
        first = not exchange.answers

        def on_words(words: str) -> None:
            self._publish(
                event(
                    "response.output_audio_transcript.delta",
                    response_id=exchange.response_id,
                    item_id=exchange.response_id,
                    delta=words,
                )
            )

        def on_first_played() -> None:
            self._listener.agent_speaking = True
            self._set_state("speaking")
            self._publish(event("output_audio_buffer.started", response_id=exchange.response_id))
            if first:
                self._report_timings(exchange, answer)
            asyncio.get_running_loop().call_soon(self._listen, exchange)

        answer.on_words = on_words
        answer.on_first_played = on_first_played
        exchange.playing = group.create_task(self._play(answer))
        return answer

    def _listen(self, exchange: Exchange) -> None:
        """Listen for what the exchange led to.

        Compiling a grammar takes the loop some milliseconds, up to 40 for spelled names: it waits
        until the first audio of the answer has left, and is done while the agent speaks.
        """
        expectation, exchange.expectation = exchange.expectation, None
        if expectation is not None:
            self._listener.expect(expectation)

    async def _play(self, answer: Answer) -> None:
        try:
            await answer.run()
        except VoiceError as error:
            # The words reached the client as text; the next answer finds the voice restarted.
            log.error("voice failed", extra={"reason": type(error).__name__})
        self._listener.agent_speaking = False

    async def _conclude(self, exchange: Exchange) -> None:
        """Tell the client and the journal what was heard of the answer."""
        if not exchange.answers:
            if exchange.tools:
                await self._commit("", "", exchange)
            return
        complete = exchange.complete
        self._conductor.played(exchange.spoken, complete)
        self._publish(
            event(
                "response.output_audio_transcript.done",
                response_id=exchange.response_id,
                item_id=exchange.response_id,
                transcript=exchange.spoken,
            )
        )
        self._publish(event("output_audio_buffer.stopped", response_id=exchange.response_id))
        status = "completed" if complete else "cancelled"
        self._publish(
            event("response.done", response={"id": exchange.response_id, "status": status})
        )
        await self._commit("", exchange.spoken, exchange, interrupted=not complete)

    async def _remember_caller(self, exchange: Exchange) -> None:
        if not exchange.remembered:
            exchange.remembered = True
            await self._commit(exchange.heard.text if exchange.heard else "", "", exchange)

    async def _commit(
        self, caller: str, agent: str, exchange: Exchange, *, interrupted: bool = False
    ) -> None:
        tools = tuple(exchange.tools)
        exchange.tools.clear()
        started = self._clock.monotonic()
        number = self._turns + 1
        turn = Turn(number, caller, agent, interrupted, self._clock.wall(), tools)
        try:
            await self._journal.commit(turn, self._conductor.state())
        except OutOfStep:
            # A write that was cancelled while it was under way has happened after all.
            number += 1
            await self._journal.commit(replace(turn, number=number), self._conductor.state())
        self._turns = number
        self._metrics.commit(self._clock.monotonic() - started)

    # --- telling -----------------------------------------------------------------------------

    def _report_timings(self, exchange: Exchange, answer: Answer) -> None:
        timings = exchange.timings(self._turns + 1, answer)
        if timings is None:
            return
        self._metrics.turn(timings)
        self._publish(turn_timings(timings))

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._publish(event("inland.state", state=state, step=self._step, expects=self._step))


def _ignore_notice(text: str, heard: bool) -> None:
    pass
