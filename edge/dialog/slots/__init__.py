"""The kinds of slots: each knows its grammar, how to read an answer and how to say a value."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from edge.dialog.slots.base import Moment, Reading, Rejected, SlotBase, Understood
from edge.dialog.slots.choices import Choice, ChoiceSlot, YesNoSlot
from edge.dialog.slots.dates import DateSlot
from edge.dialog.slots.digits import DigitsSlot
from edge.dialog.slots.names import NameSlot
from edge.dialog.slots.times import TimeSlot

Slot: TypeAlias = Annotated[
    DateSlot | TimeSlot | NameSlot | ChoiceSlot | YesNoSlot | DigitsSlot,
    Field(discriminator="kind"),
]

__all__ = [
    "Choice",
    "ChoiceSlot",
    "DateSlot",
    "DigitsSlot",
    "Moment",
    "NameSlot",
    "Reading",
    "Rejected",
    "Slot",
    "SlotBase",
    "TimeSlot",
    "Understood",
    "YesNoSlot",
]
