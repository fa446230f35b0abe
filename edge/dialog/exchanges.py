"""The conversation as a language model is told of it: what was *heard*, never what was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edge.dialog.models import Message, ToolAsked
from edge.events import JsonValue, ToolRecord, ToolReturned, Turn

MAX_EXCHANGES = 40
"""How far back a model is told."""
MAX_OUTPUT = 4000
"""Characters of a tool's answer that a model is told."""


@dataclass
class Exchange:
    """One turn as it happens: ``said`` grows; ``heard`` replaces it once the playout is known."""

    caller: str
    said: str = ""
    heard: str | None = None
    tools: list[ToolRecord] = field(default_factory=list)

    @property
    def agent(self) -> str:
        """What the caller knows of the answer."""
        return self.said if self.heard is None else self.heard


class Exchanges:
    """The last exchanges of a conversation."""

    def __init__(self) -> None:
        self._all: list[Exchange] = []

    @property
    def last(self) -> Exchange:
        """The exchange that is going on."""
        if not self._all:
            self.begin("")
        return self._all[-1]

    def begin(self, caller: str) -> Exchange:
        """The caller said something, or the agent speaks first."""
        self._all = [*self._all[1 - MAX_EXCHANGES :], Exchange(caller)]
        return self._all[-1]

    def tool(self, result: ToolReturned, arguments: Mapping[str, JsonValue]) -> None:
        """A tool of the last exchange came back."""
        record = ToolRecord(result.call_id, result.name, arguments, result.ok, result.output)
        self.last.tools.append(record)

    def restore(self, history: Sequence[Turn]) -> None:
        """Take over the committed turns of another conductor."""
        self._all = [
            Exchange(turn.caller, turn.agent, turn.agent, list(turn.tools))
            for turn in history[-MAX_EXCHANGES:]
        ]

    def messages(self) -> Iterator[Message]:
        """The conversation in a chat model's form; each tool call is followed by its result."""
        for exchange in self._all:
            if exchange.caller:
                yield Message("user", exchange.caller)
            for record in exchange.tools:
                arguments = json.dumps(record.arguments)
                asked = ToolAsked(record.call_id, record.name, arguments)
                yield Message("assistant", "", tool_calls=(asked,))
                output = json.dumps({"ok": record.ok, "output": record.output})[:MAX_OUTPUT]
                yield Message("tool", output, tool_call_id=record.call_id)
            if exchange.agent:
                yield Message("assistant", exchange.agent)
