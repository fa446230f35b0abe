"""A time of day: "half past nine", "at three thirty p m", "noon"."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from edge.dialog.normalise import cardinal
from edge.dialog.slots.base import Moment, Reading, Rejected, SlotBase, Understood, tagged
from edge.events import JsonValue
from edge.grammar import Alt, Match, Node, Opt, Seq, Tag, Tail, Words

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_HALVES = {"a": range(12), "p": range(12, 24)}
_PART_HALF = {"morning": "a", "afternoon": "p", "evening": "p"}
_COARSE = (15, 30, 45)
_FINE = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55)


class TimeSlot(SlotBase):
    """Its value is ``HH:MM``, from ``opens`` to before ``closes``, in steps.

    Callers leave out the half of the day: whatever falls inside the opening hours is meant.
    """

    kind: Literal["time"]
    opens: ClockTime = "00:00"
    closes: ClockTime = "23:59"
    step_minutes: Literal[5, 10, 15, 30, 60] = 30

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("opens must be before closes")
        return self

    @property
    def core(self) -> Node:
        return _COARSE_CORE if self.step_minutes >= 15 else _FINE_CORE

    @property
    def leads(self) -> tuple[str, ...]:
        return ("at", "around")

    @property
    def offhand(self) -> bool:
        return True

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or ("ten o'clock", "half past two")

    def read(self, match: Match, moment: Moment) -> Reading | None:
        hour, minute = _said(match)
        if hour is None:
            return None
        half = match.first("half") or _PART_HALF.get(match.first("part") or "")
        readings = self._readings(hour, minute, half)
        if half is None and len(readings) > 1 and moment.part is not None:
            likely = [r for r in readings if r // 60 in _HALVES[_PART_HALF[moment.part]]]
            readings = likely or readings
        if len(readings) > 1:
            early, late = (spoken_time(r, with_half=True) for r in readings)
            return Rejected(f"Please say {early}, or {late}.")
        if not readings:
            return Rejected(f"Times go from {self._edge(self.opens)} to {self._edge(self.closes)}.")
        if readings[0] % self.step_minutes:
            return Rejected(f"Times go in steps of {self.step_minutes} minutes.")
        return Understood(f"{readings[0] // 60:02}:{readings[0] % 60:02}")

    def fits(self, value: JsonValue) -> bool:
        return isinstance(value, str) and _CLOCK.fullmatch(value) is not None

    def spoken(self, value: JsonValue) -> str:
        if not self.fits(value):
            return str(value)
        return spoken_time(_minutes(str(value)), with_half=not self._one_half)

    @property
    def _one_half(self) -> bool:
        """Whether no clock reading is possible twice in the opening hours."""
        return _minutes(self.closes) - _minutes(self.opens) <= 12 * 60

    def _edge(self, clock: str) -> str:
        return spoken_time(_minutes(clock), with_half=not self._one_half)

    def _readings(self, hour: int, minute: int, half: str | None) -> list[int]:
        """Minutes of the day that the words can mean inside the opening hours."""
        hours = (hour % 12, hour % 12 + 12) if hour <= 12 else (hour % 24,)
        found = [(h * 60 + minute) % 1440 for h in hours]
        if half is not None:
            found = [m for m in found if m // 60 in _HALVES[half]]
        return [m for m in found if self._open(m)]

    def _open(self, minute: int) -> bool:
        return _minutes(self.opens) <= minute < _minutes(self.closes)


def spoken_time(minute_of_day: int, *, with_half: bool) -> str:
    """``nine thirty``, ``ten o'clock``, ``three fifteen in the afternoon``, ``noon``."""
    hour, minute = divmod(minute_of_day, 60)
    if minute_of_day == 12 * 60:
        return "noon"
    twelve = cardinal((hour + 11) % 12 + 1)
    if minute == 0:
        said = f"{twelve} o'clock"
    else:
        said = f"{twelve} oh {cardinal(minute)}" if minute < 10 else f"{twelve} {cardinal(minute)}"
    if not with_half:
        return said
    part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
    return f"{said} in the {part}"


def _said(match: Match) -> tuple[int | None, int]:
    """Hour 1..12 (24: midnight) and minute (negative: before the hour) of the words."""
    hour = match.first("hour")
    return (None if hour is None else int(hour)), int(match.first("minute") or 0)


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _build(minutes: tuple[int, ...]) -> Node:
    hour = Alt(tuple(tagged((cardinal(h),), "hour", str(h)) for h in range(1, 13)))
    minute = Alt(
        tuple(
            tagged((f"oh {cardinal(m)}" if m < 10 else cardinal(m),), "minute", str(m))
            for m in minutes
        )
    )
    half = Alt(
        (
            tagged(("a m", "in the morning"), "half", "a"),
            tagged(("p m", "in the afternoon", "in the evening"), "half", "p"),
        )
    )
    relative = Alt(
        (
            Tag(Words("half past"), "minute", "30"),
            Seq((Opt(Words("a")), tagged(("quarter past", "quarter after"), "minute", "15"))),
            Seq((Opt(Words("a")), tagged(("quarter to",), "minute", "-15"))),
        )
    )
    whole = Seq((hour, Opt(Alt((Words("o'clock"), minute)))))
    of_day = Seq((Alt((Seq((relative, hour)), whole)), Tail(half)))
    named = Alt(
        (
            Tag(Tag(Words("noon"), "half", "p"), "hour", "12"),
            Tag(Words("midnight"), "hour", "24"),
        )
    )
    return Alt((of_day, named))


_COARSE_CORE = _build(_COARSE)
_FINE_CORE = _build(_FINE)
