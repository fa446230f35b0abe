"""The events a client sees, in the shape of OpenAI's Realtime API (docs/protocol.md, section 3).

Pure: every function returns one JSON object; :func:`parse_client_event` is its inverse for what
clients may send.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge.events import JsonValue, Turn, TurnTimings
from edge.keypad import KEYS

MAX_TYPED = 500
"""Longest typed sentence, characters."""

MAX_HISTORY = 40
"""Entries of the journal that a resumed client is told; a data channel message is bounded."""

REPLICA_FORMAT = 1
"""The version of replicas that a client is offered to carry; it understands none of them."""

Event: TypeAlias = Mapping[str, JsonValue]


def event(kind: str, **fields: JsonValue) -> Event:
    """One event with an id of its own."""
    return {"type": kind, "event_id": f"event_{secrets.token_hex(8)}", **fields}


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What ``session.created`` tells a client."""

    session_id: str
    agent: str
    language: str
    call_id: str
    region: str
    node: str
    policy: str
    jurisdictions: tuple[str, ...]
    resume_token: str
    resume_expires_at: int
    resumed: bool
    history: Sequence[Turn]
    carry: bool = False
    """Whether a client that asks is given replicas, as soon as the law names a region for them."""


def session_object(facts: SessionFacts) -> dict[str, JsonValue]:
    """The ``session`` object of ``session.created`` and ``session.updated``."""
    return {
        "id": facts.session_id,
        "type": "realtime",
        "agent": facts.agent,
        "language": facts.language,
    }


def session_created(facts: SessionFacts) -> Event:
    """The first event of a call."""
    turns: list[JsonValue] = [
        {"number": turn.number, "caller": _shown(turn.caller), "agent": turn.agent}
        for turn in facts.history[-MAX_HISTORY:]
    ]
    return event(
        "session.created",
        session=session_object(facts),
        inland={
            "call_id": facts.call_id,
            "region": facts.region,
            "node": facts.node,
            "policy": facts.policy,
            "jurisdictions": list(facts.jurisdictions),
            "resume_token": facts.resume_token,
            "resume_expires_at": facts.resume_expires_at,
            "resumed": facts.resumed,
            "turns": turns,
            **({"carry": REPLICA_FORMAT} if facts.carry else {}),
        },
    )


def _shown(caller: str) -> str:
    """What was keyed in may be a secret: a history shows how long it was."""
    return f"({len(caller)} keys)" if caller.isdecimal() else caller


def turn_timings(timings: TurnTimings) -> Event:
    """Where the time of one answer went."""
    return event(
        "inland.turn.timings",
        turn=timings.turn,
        endpoint=round(timings.endpoint, 1),
        recognise=round(timings.recognise, 1),
        think=round(timings.think, 1),
        voice=round(timings.voice, 1),
        playout=round(timings.playout, 1),
        total=round(timings.total, 1),
    )


def function_call(response_id: str, call_id: str, name: str, arguments: JsonValue) -> Event:
    """A tool is called; its arguments are a JSON string, as in the API it follows."""
    return event(
        "response.function_call_arguments.done",
        response_id=response_id,
        call_id=call_id,
        name=name,
        arguments=json.dumps(arguments, default=dict),
    )


def refusal(code: str, message: str) -> Event:
    """A client event was not accepted."""
    return event("error", error={"type": "invalid_request_error", "code": code, "message": message})


@dataclass(frozen=True, slots=True)
class Typed:
    """The caller typed a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """The caller pressed a key of a telephone's keypad."""

    key: str


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """The agent is to fall silent."""


@dataclass(frozen=True, slots=True)
class UpdateSession:
    """The client would like other settings; the agent file decides."""


@dataclass(frozen=True, slots=True)
class Carry:
    """The client can carry the conversation to another region."""


@dataclass(frozen=True, slots=True)
class Moving:
    """The client was told to move, has the replica of that number, and goes."""

    number: int


@dataclass(frozen=True, slots=True)
class HangUpRequest:
    """The caller ends the call."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The event is not one of ours."""

    code: str
    message: str


ClientEvent: TypeAlias = (
    Typed | Pressed | StopSpeaking | UpdateSession | Carry | Moving | HangUpRequest | Refused
)


def parse_client_event(message: Event) -> ClientEvent:
    """What a client wants. Never raises: what cannot be understood is :class:`Refused`."""
    match message.get("type"):
        case "conversation.item.create":
            return _typed(message.get("item"))
        case "inland.dtmf":
            return _pressed(message.get("digit"))
        case "response.cancel" | "output_audio_buffer.clear":
            return StopSpeaking()
        case "session.update":
            return UpdateSession()
        case "inland.carry":
            return Carry()
        case "inland.call.moving":
            return _moving(message.get("number"))
        case "inland.hangup":
            return HangUpRequest()
        case str(kind):
            return Refused("unknown_event", f"events of type {kind[:64]!r} are not understood")
        case _:
            return Refused("bad_event", "an event is a JSON object with a string 'type'")


def _pressed(digit: JsonValue) -> ClientEvent:
    if isinstance(digit, str) and digit in KEYS:
        return Pressed(digit)
    return Refused("bad_digit", "digit is one of 0 to 9, '*', '#', 'A' to 'D'")


def _moving(number: JsonValue) -> ClientEvent:
    if isinstance(number, int) and number > 0:
        return Moving(number)
    return Refused("bad_event", "number is that of the replica that goes along")


def _typed(item: JsonValue) -> ClientEvent:
    match item:
        case {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}:
            if isinstance(text, str) and 0 < len(text.strip()) <= MAX_TYPED:
                return Typed(" ".join(text.split()))
            return Refused("bad_text", f"typed text has 1 to {MAX_TYPED} characters")
        case _:
            return Refused(
                "bad_item",
                "item is {type: 'message', role: 'user', "
                "content: [{type: 'input_text', text: '…'}]}",
            )
