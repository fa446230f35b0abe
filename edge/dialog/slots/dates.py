"""A day: "tomorrow", "next tuesday", "the twenty third of november"."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Literal

from pydantic import Field

from edge.dialog.normalise import MONTHS, WEEKDAYS, ordinal
from edge.dialog.slots.base import Moment, Reading, Rejected, SlotBase, Understood, tagged
from edge.events import JsonValue
from edge.grammar import Alt, Match, Node, Opt, Seq, Tag, Tail, Words

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

RELATIVE = (("today", 0), ("tomorrow", 1), ("the day after tomorrow", 2))
PARTS = ("morning", "afternoon", "evening")
_LEAP_SEARCH_YEARS = 9
"""Leap years are at most eight years apart (1896-1904, 2096-2104)."""


class DateSlot(SlotBase):
    """Its value is ``YYYY-MM-DD``, today or later."""

    kind: Literal["date"]
    weekdays: tuple[Weekday, ...] = Field(
        default=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        min_length=1,
    )
    """The days that can be chosen."""
    within_days: int = Field(default=365, ge=1, le=3650)
    """How far ahead."""

    @property
    def core(self) -> Node:
        return _CORE

    @property
    def leads(self) -> tuple[str, ...]:
        return ("on", "for")

    @property
    def aside(self) -> Node:
        return self.node

    @property
    def offhand(self) -> bool:
        return True

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or ("tomorrow", "next tuesday")

    def read(self, match: Match, moment: Moment) -> Reading | None:
        day = resolve_date(match, moment.today)
        return self._checked(day, moment.today) if isinstance(day, dt.date) else day

    def fits(self, value: JsonValue) -> bool:
        return _parsed(value) is not None

    def spoken(self, value: JsonValue) -> str:
        day = _parsed(value)
        return spoken_date(day) if day else str(value)

    def _checked(self, day: dt.date, today: dt.date) -> Reading:
        if day < today:
            return Rejected("That day is over.")
        if (day - today).days > self.within_days:
            return Rejected(f"That is more than {self.within_days} days ahead.")
        if WEEKDAYS[day.weekday()] not in self.weekdays:
            return Rejected(f"{_capital(WEEKDAYS[day.weekday()])} is not possible.")
        return Understood(day.isoformat())


def spoken_date(day: dt.date) -> str:
    """``Tuesday the 24th of November``: the weekday lets the caller notice a misunderstanding."""
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    return f"{_capital(weekday)} the {_figures(day.day)} of {_capital(month)}"


def resolve_date(match: Match, today: dt.date) -> dt.date | Rejected | None:
    """The day that ``match`` speaks of; None when it speaks of none.

    "next tuesday" is the Tuesday of the next calendar week (ISO 8601 weeks begin on Monday); a
    bare weekday is its next occurrence after today; a day without a year is the next such day.
    """
    relative = match.first("relative")
    if relative is not None:
        return today + dt.timedelta(days=int(relative))
    weekday = match.first("weekday")
    day = match.first("day")
    if day is not None:
        found = _day_of_month(int(day), match.first("month"), today)
        if found is None:
            return Rejected("There is no such day.")
        if weekday is not None and found.weekday() != int(weekday):
            name, said = WEEKDAYS[found.weekday()], WEEKDAYS[int(weekday)]
            return Rejected(
                f"The {_figures(found.day)} is a {_capital(name)}, not a {_capital(said)}."
            )
        return found
    if weekday is None:
        return None
    if match.first("next") is not None:
        return today + dt.timedelta(days=7 - today.weekday() + int(weekday))
    return today + dt.timedelta(days=(int(weekday) - today.weekday() - 1) % 7 + 1)


def _day_of_month(day: int, month: str | None, today: dt.date) -> dt.date | None:
    for year in range(today.year, today.year + _LEAP_SEARCH_YEARS):
        for number in range(1, 13) if month is None else (int(month),):
            try:
                found = dt.date(year, number, day)
            except ValueError:
                continue
            if found >= today:
                return found
    return None


def _parsed(value: JsonValue) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _figures(day: int) -> str:
    suffix = "th" if 4 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]


class _Parts:
    """The pieces of the grammar, built once and shared by every step."""

    @cached_property
    def weekday(self) -> Node:
        return Alt(tuple(tagged((d,), "weekday", str(n)) for n, d in enumerate(WEEKDAYS)))

    @cached_property
    def month(self) -> Node:
        return Alt(tuple(tagged((m,), "month", str(n)) for n, m in enumerate(MONTHS, 1)))

    @cached_property
    def day(self) -> Node:
        return Alt(tuple(tagged((ordinal(n),), "day", str(n)) for n in range(1, 32)))

    @cached_property
    def part(self) -> Node:
        options = tuple(tagged((part,), "part", part) for part in PARTS)
        return Seq((Opt(Words("in the")), Alt(options)))

    def whole(self) -> Node:
        relative = Alt(tuple(tagged((w,), "relative", str(n)) for w, n in RELATIVE))
        the_day = Seq((Words("the"), self.day, Tail(Seq((Opt(Words("of")), self.month)))))
        bare_day = Seq((self.day, Opt(Words("of")), self.month))
        month_day = Seq((self.month, Opt(Words("the")), self.day))
        by_number = Alt((the_day, bare_day, month_day))
        which = Alt((Words("this"), Tag(Words("next"), "next", "1")))
        # A weekday is a whole answer: nobody waits for the number that may follow it.
        by_name = Seq((Opt(which), self.weekday, Tail(by_number)))
        return Seq((Alt((relative, by_number, by_name)), Tail(self.part)))


_CORE = _Parts().whole()
