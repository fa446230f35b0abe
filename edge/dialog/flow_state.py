"""Where a flow stands, as JSON, and what it does next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import Field, ValidationError

from edge.dialog.agent import AgentSpec, ArgumentValue
from edge.dialog.slots.base import Strict
from edge.events import Handover, HangUp, JsonValue

SlotValue: TypeAlias = str | bool
MAX_LEARNT = 7
"""Values that tell whom the conversation is about; the first ones stay. One place more of a
session's subjects is for who is on the line."""
MAX_SAID = 2000
"""Characters of the last answer that are kept for "say that again"."""


class Running(Strict):
    """A tool call that was begun and whose end is not known."""

    call_id: str
    tool: str
    arguments: dict[str, ArgumentValue]


class FlowState(Strict):
    """Everything the flow remembers. Small: it is stored at every turn."""

    mode: Literal["intent", "slot", "confirm", "change", "more", "ended"] = "intent"
    intent: str | None = None
    slot: str | None = None
    """The slot that was asked, in mode ``slot``."""
    values: dict[str, SlotValue] = Field(default_factory=dict)
    part: Literal["morning", "afternoon", "evening"] | None = None
    """A part of day that came with the date: a hint for the time."""
    offers: tuple[dict[str, SlotValue], ...] = ()
    """What the service offers instead of what was wanted."""
    rescue: bool = False
    """A person was offered; yes and no answer that."""
    handing: bool = False
    """A person is being asked to take over; the rest stands as it stood, in case nobody does."""
    misses: int = Field(default=0, ge=0)
    silences: int = Field(default=0, ge=0)
    said: str = ""
    """The last answer in full."""
    heard_all: bool = True
    """Whether the caller heard all of it."""
    news: str = ""
    """How a tool call ended, in words that are being spoken."""
    owed: str = ""
    """News that the caller interrupted: told again, once, with the next answer."""
    done: tuple[str, ...] = ()
    """Titles of the intents that were fulfilled, for a person who takes over."""
    subjects: tuple[tuple[str, str], ...] = Field(default=(), max_length=MAX_LEARNT)
    """Slots and values that tell whom the conversation is about; they outlast their intent."""
    running: Running | None = None
    unsure: Running | None = None
    """A call that got no answer: the same wish again is the same call, with the same key."""

    def but(self, **changes: object) -> FlowState:
        """A copy with these fields changed."""
        return self.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool the flow wants to run."""

    name: str
    arguments: dict[str, ArgumentValue]
    call_id: str | None = None
    """The call this is another try of."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One step of the flow: the new state, the words, and at most one of a tool and an end."""

    state: FlowState
    say: tuple[str, ...] = ()
    tool: Wanted | None = None
    end: Handover | HangUp | None = None


def read_state(data: JsonValue, spec: AgentSpec) -> FlowState:
    """The state in ``data`` if it fits the agent, else a fresh one."""
    try:
        state = FlowState.model_validate_json(json.dumps(data))
    except ValidationError:
        return FlowState()
    if _fits(state, spec):
        return state
    return FlowState(done=state.done, subjects=state.subjects)


def _fits(state: FlowState, spec: AgentSpec) -> bool:
    if state.running is not None and state.running.tool not in {tool.name for tool in spec.tools}:
        return False
    needs_intent = state.mode in ("slot", "confirm", "change") or state.running is not None
    if state.intent is None:
        return not needs_intent and not state.values and not state.offers
    try:
        intent = spec.flow.intent(state.intent)
        # An intent without slots asks for none; one whose tool runs has asked for all.
        if state.mode == "slot" and state.slot is None and intent.slots and state.running is None:
            return False
        if state.slot is not None:
            intent.slot(state.slot)
        spoken_of = [state.values, *state.offers]
        if state.offers and intent.conflict is None:
            return False
        if state.mode == "confirm" and (
            intent.confirm is None or any(slot.id not in state.values for slot in intent.slots)
        ):
            return False
        return all(intent.slot(n).fits(v) for values in spoken_of for n, v in values.items())
    except KeyError:
        return False
