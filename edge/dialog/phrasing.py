"""The agent's own words, where the agent file has none. Short: latency and a plain voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.dialog.agent import Intent
from edge.dialog.flow_state import SlotValue
from edge.dialog.template import fill, lookup
from edge.events import JsonValue

BACK = "Sorry, we were cut off."
STILL_THERE = "Are you still there?"
GO_ON = "Please go on."
TROUBLE = "Sorry, I have some trouble."
NOT_UNDERSTOOD = "Sorry, I did not get that."
APOLOGIES = (BACK, NOT_UNDERSTOOD)
OFFER_PERSON = "Shall I put you through to a person?"
START_OVER = "All right, from the start."
NEVER_MIND = "All right, I leave it."
UNKNOWN_OUTCOME = "I could not find out whether that went through."


def either(items: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} or {items[-1]}"


def suggest(phrases: Sequence[str]) -> str:
    """``You can say: tomorrow, or next tuesday.``"""
    return f"You can say: {', or '.join(phrases)}." if phrases else ""


def both(first: str, then: str) -> tuple[str, ...]:
    """Two things to say, of which the first may be empty."""
    return (first, then) if first else (then,)


def filled(
    template: str,
    intent: Intent,
    values: Mapping[str, SlotValue],
    result: JsonValue = None,
    alternatives: str = "",
) -> str:
    """``template`` with slots as they are spoken and ``result.*`` from a tool's answer."""

    def value(name: str) -> str:
        if name == "alternatives":
            return alternatives
        if name.startswith("result."):
            return lookup(result, name.removeprefix("result."))
        return intent.slot(name).spoken(values[name]) if name in values else ""

    words = fill(template, value)
    return words[:1].upper() + words[1:]


def summary(intent: Intent | None, values: Mapping[str, SlotValue], done: Sequence[str]) -> str:
    """What a person who takes over should know."""
    lines = [f"Done: {title}." for title in done]
    if intent is not None:
        known = "; ".join(
            f"{slot.label}: {slot.spoken(values[slot.id])}"
            for slot in intent.slots
            if slot.id in values
        )
        lines.append(f"Wants: {intent.title}{f' ({known})' if known else ''}.")
    return " ".join(lines) or "The caller has not said what they want."
