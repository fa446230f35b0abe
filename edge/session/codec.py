"""The bytes of a journal's entries, before they are sealed: compact JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge.events import JsonValue, ToolRecord, Turn


def encode(value: JsonValue) -> bytes:
    """Canonical: equal values give equal bytes. Raises ``ValueError`` for NaN and infinity."""
    text = json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )
    # Text that came off the wire may hold half a surrogate pair; it is kept as it is.
    return text.encode("utf-8", "surrogatepass")


def decode(raw: bytes) -> Any:
    """What :func:`encode` was given, with lists for tuples."""
    return json.loads(raw.decode("utf-8", "surrogatepass"))


def encode_turn(turn: Turn) -> bytes:
    return encode(
        {
            "number": turn.number,
            "caller": turn.caller,
            "agent": turn.agent,
            "interrupted": turn.interrupted,
            "at": turn.at,
            "tools": [_tool(record) for record in turn.tools],
        }
    )


def decode_turn(raw: bytes) -> Turn:
    fields = decode(raw)
    tools = tuple(ToolRecord(**record) for record in fields.pop("tools"))
    return Turn(**fields, tools=tools)


def encode_intent(name: str, arguments: Mapping[str, JsonValue]) -> bytes:
    return encode({"name": name, "arguments": arguments})


def encode_outcome(record: ToolRecord) -> bytes:
    return encode(_tool(record))


def decode_outcome(raw: bytes) -> ToolRecord:
    return ToolRecord(**decode(raw))


def _tool(record: ToolRecord) -> dict[str, JsonValue]:
    return {
        "call_id": record.call_id,
        "name": record.name,
        "arguments": record.arguments,
        "ok": record.ok,
        "output": record.output,
    }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no place in a journal")
