"""Conducts a conversation by a language model, with the flow to fall back on."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from pydantic import ValidationError

from edge.dialog import phrasing
from edge.dialog.agent import AgentSpec
from edge.dialog.clauses import Clauses
from edge.dialog.errors import ModelError
from edge.dialog.exchanges import Exchanges
from edge.dialog.flow import FlowConductor
from edge.dialog.model_state import ModelState, OpenCall
from edge.dialog.models import ChatModel, FunctionSpec, Message, TextDelta, ToolAsked
from edge.dialog.plain_json import parse_json
from edge.dialog.tools import ToolRequest, ToolRunner, parameters_schema
from edge.events import (
    TRANSFER_TOOL,
    Act,
    Expect,
    Handover,
    HangUp,
    Heard,
    JsonValue,
    Say,
    ToolReturned,
    TransferFailure,
    Turn,
)

logger = logging.getLogger(__name__)

ByFlow: TypeAlias = Callable[[], AsyncGenerator[Act, None]]
MAX_ROUNDS = 4
"""Most times a model is asked within one answer: each tool call costs a round."""
END = "end_call"
_OWN_FUNCTIONS = (
    FunctionSpec(
        TRANSFER_TOOL,
        "Give the caller to a person, when they ask for one or you cannot help.",
        {"type": "object", "properties": {"summary": {"type": "string"}}},
    ),
    FunctionSpec(END, "End the call after goodbye.", {"type": "object", "properties": {}}),
)


class ModelConductor:
    """Implements ``Conductor``. Once the model failed, the flow conducts the rest of the call."""

    def __init__(
        self,
        spec: AgentSpec,
        *,
        session_id: str,
        today: Callable[[], dt.date],
        runner: ToolRunner,
        model: ChatModel,
        fallback: FlowConductor,
    ) -> None:
        self.silence_seconds = spec.silence.seconds
        self._spec = spec
        self._session_id = session_id
        self._today = today
        self._runner = runner
        self._model = model
        self._flow = fallback
        self._exchanges = Exchanges()
        self._memory = ModelState()
        self._may_transfer = True
        self._functions = (
            *(
                FunctionSpec(tool.name, tool.description, parameters_schema(tool.parameters))
                for tool in runner.tools.values()
            ),
            *_OWN_FUNCTIONS,
        )

    async def open(self, turn: int) -> AsyncGenerator[Act, None]:
        """The greeting of the agent file: no model is as quick."""
        self._exchanges.begin("")
        async with aclosing(self._noted(self._flow.open(turn))) as acts:
            async for act in acts:
                yield act

    async def resume(self, turn: int) -> AsyncGenerator[Act, None]:
        """What was cut off is said again; a pending tool is settled and its end told."""
        if self._memory.by_flow:
            async with aclosing(self._flow.resume(turn)) as acts:
                async for act in acts:
                    yield act
            return
        if self._memory.handing:
            # An exchange of its own for what follows: a model answers the last message, the tool's.
            yield self._say(phrasing.BACK)
            self._exchanges.begin("")
            async with aclosing(self._not_taken(turn, "unknown")) as acts:
                async for act in acts:
                    yield act
            return
        last = self._exchanges.last
        again = "" if self._memory.heard_all else self._memory.said
        running = self._memory.running
        yield self._say(phrasing.BACK)
        if running is None:
            yield self._say(again or last.agent or phrasing.GO_ON)
            yield self._listen()
            return
        async with aclosing(self._answer(turn, None)) as acts:
            async for act in acts:
                yield act

    async def transfer_failed(
        self, turn: int, reason: TransferFailure
    ) -> AsyncGenerator[Act, None]:
        """The model is told as of any tool that failed, and finds the words.

        It cannot ask for a person in the same breath: only the caller's next words can.
        """
        if self._memory.by_flow:
            failed = self._flow.transfer_failed(turn, reason)
        else:
            self._exchanges.begin("")
            failed = self._not_taken(turn, reason)
        async with aclosing(failed) as acts:
            async for act in acts:
                yield act

    async def respond(self, heard: Heard, turn: int) -> AsyncGenerator[Act, None]:
        """The model's answer; the flow's when the model fails."""
        self._memory = self._memory.but(silences=0, handing=False)
        self._may_transfer = True
        by_flow = partial(self._flow.respond, heard, turn)
        answer = by_flow() if self._memory.by_flow else self._answer(turn, heard, by_flow)
        async with aclosing(answer) as acts:
            async for act in acts:
                yield act

    async def quiet(self, turn: int) -> AsyncGenerator[Act, None]:
        """A short question; goodbye after the last time."""
        if self._memory.by_flow:
            async with aclosing(self._flow.quiet(turn)) as acts:
                async for act in acts:
                    yield act
            return
        silences = self._memory.silences + 1
        self._memory = self._memory.but(silences=silences)
        self._exchanges.begin("")
        if silences > self._spec.silence.reprompts:
            yield self._say(self._spec.flow.goodbye)
            yield HangUp("idle")
            return
        yield self._say(phrasing.STILL_THERE)
        yield self._listen()

    def played(self, text: str, complete: bool) -> None:
        """The memory keeps what was heard of the last answer."""
        self._exchanges.last.heard = None if complete else text
        self._memory = self._memory.but(heard_all=complete)
        self._flow.played(text, complete)

    def state(self) -> JsonValue:
        """The model's small state and the flow's; the rest is the history."""
        found: JsonValue = {
            "model": self._memory.model_dump(mode="json"),
            "flow": self._flow.state(),
        }
        return found

    def restore(self, state: JsonValue, history: Sequence[Turn]) -> None:
        """Take over from the committed turns."""
        self._exchanges.restore(history)
        parts = state if isinstance(state, Mapping) else {}
        try:
            self._memory = ModelState.model_validate_json(json.dumps(parts.get("model")))
        except ValidationError:
            self._memory = ModelState()
        self._flow.restore(parts.get("flow"), history)

    async def _not_taken(self, turn: int, reason: TransferFailure) -> AsyncGenerator[Act, None]:
        self._memory = self._memory.but(handing=False)
        self._may_transfer = False
        call_id = f"{self._session_id}:{turn}:person"
        self._exchanges.tool(ToolReturned(call_id, TRANSFER_TOOL, False, {"error": reason}), {})
        by_flow = partial(self._flow.transfer_failed, turn, reason)
        async with aclosing(self._answer(turn, None, by_flow)) as acts:
            async for act in acts:
                yield act

    # --- an answer -----------------------------------------------------------------------------

    async def _answer(
        self, turn: int, heard: Heard | None, by_flow: ByFlow | None = None
    ) -> AsyncGenerator[Act, None]:
        """The model's answer; ``by_flow`` gives the flow's if the model fails before its first
        word."""
        self._memory = self._memory.but(said="", heard_all=False)
        acted = False
        try:
            if self._memory.running is not None:
                acted = True
                async with aclosing(self._run(self._memory.running, again=True)) as acts:
                    async for act in acts:
                        yield act
            if heard is not None:
                self._exchanges.begin(self._told(heard))
            async with aclosing(self._rounds(turn)) as rounds:
                async for act in rounds:
                    acted = True
                    yield act
            return
        except ModelError as error:
            logger.warning("model failed", extra={"reason": type(error).__name__})
            self._memory = self._memory.but(by_flow=True)
        if by_flow is not None and not acted:
            rest = by_flow()
        else:
            # Words or tools of this answer are out already: the flow must not answer it again.
            yield self._say(phrasing.TROUBLE)
            rest = self._flow.pick_up(turn)
        async with aclosing(self._noted(rest)) as further:
            async for act in further:
                yield act

    async def _rounds(self, turn: int) -> AsyncGenerator[Act, None]:
        step = 0
        for _ in range(MAX_ROUNDS):
            asked: list[ToolAsked] = []
            async with aclosing(self._speak(asked)) as words:
                async for say in words:
                    yield say
            for call in asked:
                end = self._end(call)
                if end is not None:
                    if isinstance(end, Handover) and not self._exchanges.last.said:
                        yield self._say(self._spec.escalation.say)
                    yield end
                    return
                step += 1
                running = self._opened(call, f"{self._session_id}:{turn}:{step}")
                self._memory = self._memory.but(running=running)
                async with aclosing(self._run(running, again=False)) as acts:
                    async for act in acts:
                        yield act
            if not asked:
                break
        if not self._exchanges.last.said:
            yield self._say(phrasing.NOT_UNDERSTOOD)
        yield self._listen()

    async def _speak(self, asked: list[ToolAsked]) -> AsyncGenerator[Say, None]:
        """One round of the model: its words, clause by clause; its calls go to ``asked``."""
        messages = (self._system(), *self._exchanges.messages())
        functions = tuple(
            f for f in self._functions if self._may_transfer or f.name != TRANSFER_TOOL
        )
        clauses = Clauses()
        async with aclosing(self._model.chat(messages, functions)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    for clause in clauses.feed(event.text):
                        yield self._say(clause)
                else:
                    asked.append(event)
        rest = clauses.rest()
        if rest:
            yield self._say(rest)

    async def _run(self, call: OpenCall, *, again: bool) -> AsyncGenerator[Act, None]:
        arguments: Mapping[str, JsonValue] = call.model_dump(mode="json")["arguments"]
        request = ToolRequest(call.call_id, call.tool, arguments)
        async with aclosing(self._runner.run(request, again=again)) as acts:
            async for act in acts:
                if isinstance(act, ToolReturned):
                    self._exchanges.tool(act, arguments)
                    self._memory = self._memory.but(running=None)
                elif isinstance(act, Say):
                    self._say(act.text)
                yield act

    async def _noted(self, acts: AsyncGenerator[Act, None]) -> AsyncGenerator[Act, None]:
        """The flow's acts, its words remembered as the model's own would be."""
        async with aclosing(acts) as found:
            async for act in found:
                yield self._say(act.text) if isinstance(act, Say) else act

    def _listen(self) -> Expect:
        """The flow's expectation, but only a model knows how many keys it asked for."""
        return Expect(replace(self._flow.listen().expectation, keys=0))

    def _told(self, heard: Heard) -> str:
        """What the caller did, as the model reads it."""
        if heard.keyed:
            phrase = self._spec.phrase_of(heard.text)
            return f"(pressed {heard.text}: {phrase})" if phrase else f"(pressed {heard.text})"
        return heard.text if heard.understood else "(not intelligible)"

    def _say(self, text: str) -> Say:
        exchange = self._exchanges.last
        exchange.said = f"{exchange.said} {text}".strip()
        exchange.heard = None
        self._memory = self._memory.but(said=exchange.said, heard_all=False)
        return Say(text)

    @staticmethod
    def _opened(call: ToolAsked, call_id: str) -> OpenCall:
        found = {"call_id": call_id, "tool": call.name, "arguments": _arguments(call.arguments)}
        return OpenCall.model_validate(found)

    def _end(self, call: ToolAsked) -> Handover | HangUp | None:
        if call.name == END:
            return HangUp("completed")
        if call.name == TRANSFER_TOOL and self._may_transfer:
            summary = _arguments(call.arguments).get("summary")
            self._memory = self._memory.but(handing=True)
            target = self._spec.escalation.target
            return Handover("requested", str(summary or "")[:500], target)
        return None

    def _system(self) -> Message:
        today = self._today()
        return Message("system", f"{self._spec.prompt}\nToday is {today:%A}, {today.isoformat()}.")


def _arguments(text: str) -> dict[str, JsonValue]:
    """What a model wrote as arguments; what is no object becomes one that no tool accepts."""
    try:
        found = parse_json(text or "{}")
    except ValueError:
        return {"malformed": True}
    return dict(found) if isinstance(found, Mapping) else {"malformed": True}
