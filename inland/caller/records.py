"""What a call tells its reader, as it happens: the records of ``--json``, one class for each.

``t`` is seconds since the caller began to place the call.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TypeAlias

from edge.events import JsonValue


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the call may go, and which regions were refused it, with reasons."""

    t: float
    session_id: str
    policy: str
    jurisdictions: tuple[str, ...]
    candidates: tuple[dict[str, str], ...]
    """``region``, ``node``, ``url``, ``reason``, in order of preference."""
    regions: tuple[dict[str, str | bool], ...]
    """``region``, ``allowed``, ``reason``."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A leg stands: first at the start of a call, again after each reconnect."""

    t: float
    session_id: str
    call_id: str
    region: str
    node: str
    url: str
    codec: str
    resumed: bool
    connect_ms: float
    """From the offer until media and events could flow."""


@dataclass(frozen=True, slots=True)
class Said:
    """The caller began to say, type or play something."""

    t: float
    text: str
    how: str
    """``speech``, ``file``, ``typed``, ``keyed`` or ``barge``."""
    reason: str
    """Why now: ``next line``, a rule, a repeat."""


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """The words so far, as the edge hears them."""

    t: float
    text: str


@dataclass(frozen=True, slots=True)
class CallerHeard:
    """The caller's words as the edge understood them."""

    t: float
    text: str
    understood: bool


@dataclass(frozen=True, slots=True)
class AgentSaid:
    """One answer of the agent, as far as it was played."""

    t: float
    text: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool call and its result."""

    t: float
    name: str
    arguments: JsonValue
    ok: bool
    output: JsonValue


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the edge says an answer's time went; milliseconds."""

    t: float
    turn: int
    endpoint: float
    recognise: float
    think: float
    voice: float
    playout: float
    total: float


@dataclass(frozen=True, slots=True)
class Wire:
    """What the caller measured of an answer, on its own side of the network; milliseconds.

    ``kind`` is ``answer`` (last audible frame sent until first audible frame received) or
    ``silence`` (first audible frame of a barge-in sent until the agent's last audible frame).
    """

    t: float
    kind: str
    ms: float


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A person is to take over."""

    t: float
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The call goes on at another leg; ``silent_ms`` is from the last sign of life until then."""

    t: float
    why: str
    from_node: str
    to_node: str
    attempts: int
    silent_ms: float
    turns: int
    """Turns the new edge knows of."""
    carried_from: str | None = None
    """The region that the caller carried the conversation from, if it did."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know: an attempt that failed, an event that was refused."""

    t: float
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last record."""

    t: float
    reason: str
    exit_status: int
    why: str
    """The reason in words."""
    session_id: str
    region: str
    node: str
    script_finished: bool
    lines_left: int
    caller_turns: int
    agent_turns: int
    tools: int
    repeats: int
    reconnects: int
    wire_p50_ms: float | None
    wire_p95_ms: float | None
    wire_ms: tuple[float, ...]
    packets: int
    lost: int
    gap_p50_ms: float | None
    gap_p99_ms: float | None
    gap_max_ms: float | None


Record: TypeAlias = (
    Placed
    | Connected
    | Said
    | PartialHeard
    | CallerHeard
    | AgentSaid
    | Tool
    | Timings
    | Wire
    | HandedOver
    | Reconnected
    | Note
    | Ended
)

KINDS: dict[type, str] = {
    Placed: "placement",
    Connected: "connected",
    Said: "said",
    PartialHeard: "partial",
    CallerHeard: "caller",
    AgentSaid: "agent",
    Tool: "tool",
    Timings: "timings",
    Wire: "wire",
    HandedOver: "handover",
    Reconnected: "reconnect",
    Note: "note",
    Ended: "end",
}
"""The value of ``record`` in a JSON line."""


def to_json(record: Record) -> str:
    """The record as one line of JSON."""
    return json.dumps(
        {"record": KINDS[type(record)], **dataclasses.asdict(record)}, ensure_ascii=False
    )
