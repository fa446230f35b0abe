"""What a service offers instead of what was wanted (409), as slot values and as words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.dialog.agent import Intent
from edge.dialog.flow_state import SlotValue
from edge.dialog.phrasing import either
from edge.events import JsonValue

MAX_OFFERS = 3
"""Most that are read out."""


def valid_offers(intent: Intent, body: JsonValue) -> tuple[dict[str, SlotValue], ...]:
    """The alternatives of a 409 that fit the slots; what the service says is not trusted."""
    listed = body.get("alternatives") if isinstance(body, Mapping) else None
    conflict = intent.conflict
    if not isinstance(listed, list) or conflict is None:
        return ()
    slots = {slot.id: slot for slot in intent.slots}
    found: list[dict[str, SlotValue]] = []
    for item in listed[:MAX_OFFERS]:
        if not isinstance(item, Mapping) or conflict.slot not in item:
            continue
        if all(name in slots and slots[name].fits(value) for name, value in item.items()):
            found.append({name: scalar(value) for name, value in item.items()})
    return tuple(found)


def named_offer(
    intent: Intent, found: Sequence[dict[str, SlotValue]], fresh: Mapping[str, SlotValue]
) -> dict[str, SlotValue]:
    """The offer that the caller named by its slot's value alone; empty when there is none."""
    if intent.conflict is None or set(fresh) != {intent.conflict.slot}:
        return {}
    slot = intent.conflict.slot
    return next((offer for offer in found if offer.get(slot) == fresh[slot]), {})


def spoken_offers(
    intent: Intent,
    slot: str,
    found: Sequence[Mapping[str, SlotValue]],
    wanted: Mapping[str, SlotValue],
) -> str:
    """The offers as one phrase; what is the same in all is said once, and only when it is new."""
    shared = {
        name: value
        for name, value in (found[0].items() if found else ())
        if name != slot and all(offer.get(name) == value for offer in found)
    }
    news = [
        intent.slot(name).spoken(value)
        for name, value in shared.items()
        if wanted.get(name) != value
    ]
    own = [
        ", ".join(
            intent.slot(name).spoken(value) for name, value in offer.items() if name not in shared
        )
        for offer in found
    ]
    return ", ".join([*news, either(own)])


def scalar(value: JsonValue) -> SlotValue:
    """A slot's value as it is kept."""
    return value if isinstance(value, str | bool) else str(value)
