"""The flow engine as a conductor: a thin shell that speaks, listens and runs tools."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from edge.dialog.agent import AgentSpec
from edge.dialog.engine import Engine
from edge.dialog.flow_state import MAX_SAID, FlowState, Reply, Running, Wanted, read_state
from edge.dialog.phrasing import APOLOGIES
from edge.dialog.subjects import with_subjects
from edge.dialog.tools import ToolRequest, ToolRunner
from edge.events import (
    Act,
    Expect,
    Heard,
    JsonValue,
    Say,
    ToolReturned,
    TransferFailure,
    Turn,
)


class FlowConductor:
    """Conducts a conversation by the agent's flow alone; implements ``Conductor``."""

    def __init__(
        self,
        spec: AgentSpec,
        *,
        session_id: str,
        today: Callable[[], dt.date],
        runner: ToolRunner,
    ) -> None:
        self.silence_seconds = spec.silence.seconds
        self._spec = spec
        self._session_id = session_id
        self._runner = runner
        parameters = {name: tuple(tool.parameters) for name, tool in runner.tools.items()}
        self._engine = Engine(spec, today, parameters)
        self._state = FlowState()

    def open(self, turn: int) -> AsyncGenerator[Act, None]:
        """The greeting."""
        return self._play(self._engine.greet(self._state), turn)

    def resume(self, turn: int) -> AsyncGenerator[Act, None]:
        """What was cut off, or the pending question; a pending tool is settled first."""
        if self._state.running is not None:
            return self._settle(self._state.running, turn)
        return self._play(_with_owed(self._state, self._engine.again(self._state)), turn)

    def transfer_failed(self, turn: int, reason: TransferFailure) -> AsyncGenerator[Act, None]:
        """That nobody took the caller, and the pending question."""
        return self._play(self._engine.not_taken(self._state), turn)

    def respond(self, heard: Heard, turn: int) -> AsyncGenerator[Act, None]:
        """The answer. While a tool call is open, its end is told instead."""
        if self._state.running is not None:
            return self._settle(self._state.running, turn)
        return self._play(_with_owed(self._state, self._engine.hear(self._state, heard)), turn)

    def quiet(self, turn: int) -> AsyncGenerator[Act, None]:
        """The question again; goodbye after the last time."""
        if self._state.running is not None:
            return self._settle(self._state.running, turn)
        return self._play(_with_owed(self._state, self._engine.silence(self._state)), turn)

    def pick_up(self, turn: int) -> AsyncGenerator[Act, None]:
        """Go on where another conductor fell silent: the pending question and no more."""
        question = self._engine.question(self._state)
        return self._play(Reply(self._state, (question,)), turn)

    def listen(self) -> Expect:
        """What the flow would understand now."""
        return Expect(self._engine.expectation(self._state))

    def played(self, text: str, complete: bool) -> None:
        """Remember whether the last answer was heard to its end, and what of it is owed."""
        missed = not complete and self._state.news not in " ".join(text.split())
        owed = self._state.news if missed else ""
        self._state = self._state.but(heard_all=complete, owed=owed, news="")

    def state(self) -> JsonValue:
        """The flow's state as JSON."""
        found: JsonValue = self._state.model_dump(mode="json")
        return found

    def restore(self, state: JsonValue, history: Sequence[Turn]) -> None:
        """Take over; the flow's memory is its state, the history is not needed."""
        self._state = read_state(state, self._spec)

    async def _play(self, reply: Reply, turn: int) -> AsyncGenerator[Act, None]:
        step = 0
        while True:
            self._keep(reply)
            if reply.tool is not None:
                step += 1
                # Marked as running before the first word: closing at any act leaves the call
                # open, and whoever answers next settles it.
                running = self._start(reply.tool, turn, step)
            for text in reply.say:
                yield Say(text)
            if reply.tool is None:
                break
            async with aclosing(self._run(running, again=reply.tool.call_id is not None)) as acts:
                async for act in acts:
                    if isinstance(act, ToolReturned):
                        reply = self._engine.returned(self._state, act)
                        self._keep(reply)
                    yield act
        yield reply.end or self.listen()

    async def _settle(self, running: Running, turn: int) -> AsyncGenerator[Act, None]:
        """End a call that was begun in an earlier answer, and tell the caller how."""
        reply: Reply | None = None
        async with aclosing(self._run(running, again=True)) as acts:
            async for act in acts:
                if isinstance(act, ToolReturned):
                    reply = self._engine.returned(self._state, act)
                    self._keep(reply)
                yield act
        if reply is not None:
            async with aclosing(self._play(reply, turn)) as rest:
                async for further in rest:
                    yield further

    def _run(self, running: Running, *, again: bool) -> AsyncGenerator[Act, None]:
        request = ToolRequest(running.call_id, running.tool, dict(running.arguments))
        return self._runner.run(request, again=again)

    def _start(self, tool: Wanted, turn: int, step: int) -> Running:
        call_id = tool.call_id or f"{self._session_id}:{turn}:{step}"
        running = Running(call_id=call_id, tool=tool.name, arguments=tool.arguments)
        self._state = self._state.but(running=running)
        return running

    def _keep(self, reply: Reply) -> None:
        """The reply's state is the state, from before its first word on.

        What is worth saying again is the answer, without apologies.
        """
        said = " ".join(words for words in reply.say if words not in APOLOGIES)[:MAX_SAID]
        state = reply.state.but(said=said, heard_all=False) if said else reply.state
        self._state = with_subjects(state, self._state, self._spec.subject)


def _with_owed(before: FlowState, reply: Reply) -> Reply:
    """The reply, led by the news that the caller interrupted last time."""
    settled = reply.state.but(owed="", news="")
    if not before.owed or before.owed in " ".join(reply.say):
        return replace(reply, state=settled)
    return replace(reply, state=settled, say=(before.owed, *reply.say))
