"""Keys of a telephone, collected into entries. Pure: the caller of this tells it the time."""

from __future__ import annotations

KEYS = frozenset("0123456789*#ABCD")
"""What a telephone can send (RFC 4733 section 3.2)."""

_DIGITS = frozenset("0123456789")

PAUSE_SECONDS = 2.0
"""After this long without a key an entry is over."""

MAX_ENTRY = 32
"""Longest entry, keys."""


class Keypad:
    """The keys of one call.

    An entry is over at ``#`` (which is not part of it), with as many keys as are wanted, after
    ``PAUSE_SECONDS``, or at ``MAX_ENTRY`` keys. ``*`` takes back what was entered so far. ``A`` to
    ``D`` are on no caller's telephone and are ignored.
    """

    def __init__(self) -> None:
        self._entered = ""
        self._due: float | None = None

    @property
    def due(self) -> float | None:
        """When the entry is over if no key follows; None when there is none."""
        return self._due

    def press(self, key: str, now: float, wanted: int = 0) -> str | None:
        """The entry that this key ended, empty when nothing is left of it; else None.

        ``wanted`` keys are a whole entry; 0 when nobody knows.
        """
        if key == "*":
            self._entered = ""
        elif key in _DIGITS:
            self._entered += key
            self._due = now + PAUSE_SECONDS
        whole = len(self._entered) >= min(wanted or MAX_ENTRY, MAX_ENTRY)
        return self._take() if key == "#" or whole or not self._entered else None

    def poll(self, now: float) -> str | None:
        """The entry if its time is over, else None."""
        return self._take() if self._due is not None and now >= self._due else None

    def _take(self) -> str:
        entered, self._entered, self._due = self._entered, "", None
        return entered
