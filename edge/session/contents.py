"""What a replica holds of a session, kept as it grows and as bytes: what a takeover reads."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edge.events import JsonValue, ToolRecord, Turn
from edge.session import codec
from edge.session.errors import SealError
from edge.session.history import History, PendingTool

MAX_PLAIN = 2 * 1024 * 1024
"""Longest contents that are sealed or read, bytes before they are compressed."""
MAX_ENTRIES = 1000
"""Most turns and tool calls that are sealed or read. Each is a step of the store that they are
written into, and the caller waits for all of them."""

ToolCall: TypeAlias = PendingTool | ToolRecord


@dataclass(frozen=True, slots=True)
class Contents:
    """A session's turns from number 1, the dialog's state after the last, its tool calls in the
    order they were made."""

    turns: tuple[Turn, ...]
    state: JsonValue
    tools: tuple[ToolCall, ...]


class LiveContents:
    """A session's contents, in the memory of whoever writes its journal.

    Told of each entry after the store has it. What is told again changes nothing. ``on_change`` is
    called after what does, with whether a tool call began, came back or is under way.
    """

    def __init__(self, history: History | Contents | None = None) -> None:
        self.on_change: Callable[[bool], None] = lambda urgent: None
        self._turns: list[Turn] = list(history.turns) if history else []
        self._state: JsonValue = history.state if history else None
        self._tools: dict[str, ToolCall] = {}
        match history:
            case History():
                tools: tuple[ToolCall, ...] = (*history.settled, *history.pending)
            case Contents():
                tools = history.tools
            case None:
                tools = ()
        for tool in tools:
            self._tools[tool.call_id] = tool

    @property
    def pending(self) -> bool:
        """Whether a tool call is under way."""
        return any(isinstance(tool, PendingTool) for tool in self._tools.values())

    def committed(self, turn: Turn, state: JsonValue) -> None:
        """A turn and the state after it."""
        if turn.number == len(self._turns) + 1:
            self._turns.append(turn)
            self._state = state
            self.on_change(self.pending)

    def tool_pending(self, call_id: str, name: str, arguments: Mapping[str, JsonValue]) -> None:
        """A tool is about to be called."""
        if call_id not in self._tools:
            self._tools[call_id] = PendingTool(call_id, name, arguments)
            self.on_change(True)

    def tool_settled(self, record: ToolRecord) -> None:
        """What came of it."""
        if isinstance(self._tools.get(record.call_id), PendingTool):
            self._tools[record.call_id] = record
            self.on_change(True)

    def now(self) -> Contents:
        """As of this moment."""
        return Contents(tuple(self._turns), self._state, tuple(self._tools.values()))


@dataclass(frozen=True, slots=True)
class Encoded:
    """Contents as bytes, and how many of them are of each class before compression."""

    body: bytes
    transcript: int
    variables: int


def encode_contents(contents: Contents) -> Encoded | None:
    """The bytes of ``contents``; None when they are more than a replica holds."""
    if len(contents.turns) + len(contents.tools) > MAX_ENTRIES:
        return None
    turns = [codec.decode(codec.encode_turn(turn)) for turn in contents.turns]
    words = codec.encode(turns)
    variables = codec.encode(
        {"state": contents.state, "tools": [_tool(tool) for tool in contents.tools]}
    )
    plain = len(words).to_bytes(4, "big") + words + variables
    if len(plain) > MAX_PLAIN:
        return None
    return Encoded(zlib.compress(plain, 6), len(words), len(variables))


@dataclass(frozen=True, slots=True)
class Decoded:
    """Contents, and how many bytes of each class they were."""

    contents: Contents
    transcript: int
    variables: int


def decode_contents(body: bytes, turns: int) -> Decoded:
    """What was encoded, which must have so many turns. Raises ``SealError``."""
    try:
        plain = _inflated(body)
        found, words = _decode(plain)
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, zlib.error) as error:
        raise SealError("the replica's contents are of an unknown format") from error
    numbers = [turn.number for turn in found.turns]
    if numbers != list(range(1, turns + 1)) or turns + len(found.tools) > MAX_ENTRIES:
        raise SealError("the replica's turns do not follow one another")
    return Decoded(found, words, len(plain) - 4 - words)


def _inflated(body: bytes) -> bytes:
    reader = zlib.decompressobj()
    plain = reader.decompress(body, MAX_PLAIN)
    if not reader.eof or reader.unused_data:
        raise ValueError("too long, or cut short")
    return plain


def _decode(plain: bytes) -> tuple[Contents, int]:
    size = int.from_bytes(plain[:4], "big")
    words, variables = plain[4 : 4 + size], codec.decode(plain[4 + size :])
    turns = tuple(codec.decode_turn(codec.encode(turn)) for turn in codec.decode(words))
    tools = tuple(_tool_call(tool) for tool in variables["tools"])
    return Contents(turns, variables["state"], tools), len(words)


def _tool(tool: ToolCall) -> JsonValue:
    if isinstance(tool, PendingTool):
        return {"call_id": tool.call_id, "name": tool.name, "arguments": tool.arguments}
    found: JsonValue = codec.decode(codec.encode_outcome(tool))
    return found


def _tool_call(fields: Mapping[str, JsonValue]) -> ToolCall:
    raw = codec.encode(fields)
    return codec.decode_outcome(raw) if "ok" in fields else PendingTool(**codec.decode(raw))
