"""Whom a conversation is about, as far as the agent's file says which slots tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from edge.dialog.flow_state import MAX_LEARNT, FlowState
from edge.events import JsonValue

MAX_VALUE = 200
"""Longest value that tells a person, characters."""


def with_subjects(state: FlowState, before: FlowState, slots: Collection[str]) -> FlowState:
    """``state`` with what was known ``before`` and what its own ``slots`` say now."""
    known = dict.fromkeys(before.subjects)
    for slot in slots:
        value = state.values.get(slot)
        if isinstance(value, str) and 0 < len(value) <= MAX_VALUE and len(known) < MAX_LEARNT:
            known.setdefault((slot, value))
    return state.but(subjects=tuple(known))


def subjects_of(state: JsonValue) -> tuple[tuple[str, str], ...]:
    """Slots and values out of what a conductor calls its state."""
    if not isinstance(state, Mapping):
        return ()
    flow = state.get("flow", state)  # a model's conductor keeps the flow's state inside its own
    found = flow.get("subjects") if isinstance(flow, Mapping) else None
    if not isinstance(found, list | tuple):
        return ()
    pairs = [
        each for each in found[:MAX_LEARNT] if isinstance(each, list | tuple) and len(each) == 2
    ]
    return tuple((str(slot), str(value)) for slot, value in pairs)
