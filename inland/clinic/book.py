"""The appointment book: who has which half hour, in SQLite.

Two callers can never hold one slot (a unique index decides), and one key books once: the answer of
a key is stored with the appointment in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

DEPARTMENTS = ("general practice", "dentist", "callback")
OPENS = dt.time(8, 0)
CLOSES = dt.time(17, 0)
SLOT = dt.timedelta(minutes=30)
SEARCH_DAYS = 21
"""How far ahead alternatives are looked for."""
MAX_ALTERNATIVES = 3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS appointments (
  reference TEXT PRIMARY KEY,
  department TEXT NOT NULL,
  date TEXT NOT NULL,
  time TEXT NOT NULL,
  name TEXT NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS one_per_slot
  ON appointments (department, date, time) WHERE cancelled = 0;
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  reference TEXT NOT NULL REFERENCES appointments (reference)
);
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """An appointment somebody wants: ``date`` YYYY-MM-DD, ``time`` HH:MM."""

    department: str
    date: str
    time: str
    name: str

    @property
    def digest(self) -> str:
        """Tells whether a repeated key comes with the same wish."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booked half hour; ``reference`` is six digits."""

    reference: str
    department: str
    date: str
    time: str
    name: str
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The wish cannot be had; the nearest free slots, on one day, instead."""

    alternatives: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key was used before for another wish."""


Booking: TypeAlias = Appointment | Taken | KeyReused


class Book:
    """The book; its methods take a millisecond and are called on the loop. ``now`` is local."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA busy_timeout=2000")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Free the database. Idempotent."""
        self._db.close()

    def book(self, wish: Wish, key: str, now: dt.datetime) -> Booking:
        """Book ``wish`` once per ``key``; a refusal is not remembered: the slot may become free."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            found = self._book(wish, key, now)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return found

    def _book(self, wish: Wish, key: str, now: dt.datetime) -> Booking:
        earlier = self._db.execute(
            "SELECT request, reference FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if earlier is not None:
            if earlier[0] != wish.digest:
                return KeyReused()
            return self._appointment(earlier[1])
        if wish.time not in self.free(wish.department, dt.date.fromisoformat(wish.date), now):
            return Taken(self._alternatives(wish, now))
        reference = self._new_reference()
        self._db.execute(
            "INSERT INTO appointments (reference, department, date, time, name)"
            " VALUES (?, ?, ?, ?, ?)",
            (reference, wish.department, wish.date, wish.time, wish.name),
        )
        self._db.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, wish.digest, reference))
        return Appointment(reference, wish.department, wish.date, wish.time, wish.name)

    def free(self, department: str, day: dt.date, now: dt.datetime) -> tuple[str, ...]:
        """The free times of a day, ``HH:MM``, in order; none at weekends and in the past."""
        rows = self._db.execute(
            "SELECT time FROM appointments WHERE department = ? AND date = ? AND cancelled = 0",
            (department, day.isoformat()),
        )
        taken = {time for (time,) in rows}
        return tuple(t for t in _times(day, now) if t not in taken)

    def cancel(self, reference: str) -> Appointment | None:
        """Cancel; None when there is no such appointment. Cancelling twice is the same as once."""
        self._db.execute("UPDATE appointments SET cancelled = 1 WHERE reference = ?", (reference,))
        return self._find(reference)

    def appointments(self, limit: int) -> list[Appointment]:
        """The next appointments in order of time, cancelled ones too."""
        rows = self._db.execute(
            "SELECT reference, department, date, time, name, cancelled FROM appointments"
            " ORDER BY date, time, department LIMIT ?",
            (limit,),
        )
        return [_appointment(row) for row in rows]

    def _alternatives(self, wish: Wish, now: dt.datetime) -> tuple[tuple[str, str], ...]:
        """Up to three slots of the first day that has any, nearest to the wanted time first."""
        first = max(dt.date.fromisoformat(wish.date), now.date())
        for ahead in range(SEARCH_DAYS):
            day = first + dt.timedelta(days=ahead)
            free = sorted(
                self.free(wish.department, day, now),
                key=lambda time: abs(_minutes(time) - _minutes(wish.time)),
            )
            if free:
                return tuple((day.isoformat(), time) for time in sorted(free[:MAX_ALTERNATIVES]))
        return ()

    def _new_reference(self) -> str:
        while True:
            reference = f"{secrets.randbelow(900_000) + 100_000}"
            if self._find(reference) is None:
                return reference

    def _appointment(self, reference: str) -> Appointment:
        found = self._find(reference)
        if found is None:
            raise LookupError("an answer without its appointment")
        return found

    def _find(self, reference: str) -> Appointment | None:
        row = self._db.execute(
            "SELECT reference, department, date, time, name, cancelled FROM appointments"
            " WHERE reference = ?",
            (reference,),
        ).fetchone()
        return None if row is None else _appointment(row)


def _appointment(row: tuple[str, str, str, str, str, int]) -> Appointment:
    reference, department, date, time, name, cancelled = row
    return Appointment(reference, department, date, time, name, bool(cancelled))


def _times(day: dt.date, now: dt.datetime) -> Iterator[str]:
    if day.weekday() >= 5:
        return
    at = dt.datetime.combine(day, OPENS)
    while at.time() < CLOSES:
        if at > now:
            yield at.strftime("%H:%M")
        at += SLOT


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])
