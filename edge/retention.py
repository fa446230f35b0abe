"""How long a session's data is kept, per class: what is told, and when that is over. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field

from edge.section import Section
from regions.models import DataClass

_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_TERM = re.compile(r"([1-9][0-9]{0,4})([mhd])")


def _seconds(value: object) -> object:
    """``30m``, ``24h`` or ``7d`` as seconds; a number passes, for settings that were read once."""
    if isinstance(value, str):
        found = _TERM.fullmatch(value)
        if found is None:
            raise ValueError("write a number and m, h or d: 30m, 24h, 7d")
        return int(found[1]) * _UNITS[found[2]]
    return value


def _bounded(seconds: int) -> int:
    if not 60 <= seconds <= 365 * 86_400:
        raise ValueError("is at least 1m and at most 365d")
    return seconds


Term = Annotated[int, Field(strict=True), BeforeValidator(_seconds), AfterValidator(_bounded)]
"""Seconds."""


class Retention(Section):
    """The longest time that data of a class is kept. It can only shorten what the node keeps."""

    transcript: Term | None = None
    """What was said."""
    variables: Term | None = None
    """The dialog's state, and the arguments and results of tools."""
    recording: Term | None = None
    """Both voices, where calls are recorded."""

    def of(self, data_class: DataClass) -> int | None:
        """Seconds for a class, or None where nothing is said."""
        terms = {
            DataClass.TRANSCRIPT: self.transcript,
            DataClass.VARIABLES: self.variables,
            DataClass.RECORDING: self.recording,
        }
        return terms.get(data_class)


@dataclass(frozen=True, slots=True)
class Ends:
    """When a session's data expires, Unix seconds.

    The session as a whole goes with the last of its classes; a caller can come back to it until
    the first of those that a conversation goes on with is gone.
    """

    session: int
    resumable: int
    classes: dict[DataClass, int]

    @classmethod
    def of(
        cls,
        now: float,
        node_seconds: float,
        said: Iterable[Retention | None],
        *,
        recording_seconds: float | None = None,
    ) -> Self:
        """The shortest of what the node, the tenant and the agent say, counted from ``now``.

        ``recording_seconds`` is what the node says of recordings; None where there is none.
        """
        terms = [one for one in said if one is not None]
        most = {DataClass.TRANSCRIPT: node_seconds, DataClass.VARIABLES: node_seconds}
        if recording_seconds is not None:
            most[DataClass.RECORDING] = recording_seconds
        classes: dict[DataClass, int] = {}
        for data_class, longest in most.items():
            told = [term for one in terms if (term := one.of(data_class)) is not None]
            classes[data_class] = int(now + min([longest, *told]))
        needed = (classes[DataClass.TRANSCRIPT], classes[DataClass.VARIABLES])
        return cls(max(classes.values()), min(needed), classes)
