"""Reads recordings back: finds a session's legs, and opens one from its first segment to its last.

What was exchanged, moved, cut out, put in or taken from another session does not open, or shows as
a number that is missing. What was cut off at the end shows too: only the last segment says that it
is the last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from edge.media.frames import FRAME_MS, LISTEN_FRAME
from edge.recording.archive import Archive, LegName, segment_name, segment_of, session_folder
from edge.recording.errors import Altered, NoRecording
from edge.recording.segment import Header, SegmentSeal, Stereo, Why, decode
from edge.session.seal import ClassKey

TICKS_PER_SECOND = 1000 // FRAME_MS
MAX_SILENCE = 24 * 3600 * TICKS_PER_SECOND
"""Longest time between two segments that is believed, ticks."""


@dataclass(frozen=True, slots=True)
class Leg:
    """What is kept of one leg: the numbers of its segments, in order."""

    name: LegName
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a leg's recording says of itself once it was read to its end.

    ``began`` are Unix seconds, ``gaps`` seconds from then, from and to. ``why`` it ended is None
    when its end is not there: its node died, or the end was taken away.
    """

    leg: LegName
    began: float
    seconds: float
    gaps: tuple[tuple[float, float], ...]
    why: Why | None

    @property
    def whole(self) -> bool:
        """Whether everything is there up to an end that says it is one."""
        return self.why is not None and not self.gaps


async def legs_of(archive: Archive, tenant: str, session_id: str) -> tuple[Leg, ...]:
    """A session's recorded legs, oldest first. Raises ``ArchiveBusy``, ``ArchiveBroken``."""
    folder = session_folder(tenant, session_id)
    found: dict[LegName, list[int]] = {}
    for name in await archive.names(folder):
        place = segment_of(folder, name)
        if place is not None:
            found.setdefault(place[0], []).append(place[1])
    ordered = sorted(found.items(), key=lambda leg: (leg[0].number, leg[0].text))
    return tuple(Leg(name, tuple(sorted(numbers))) for name, numbers in ordered)


class LegReader:
    """Opens one leg. :meth:`pieces` first, then :attr:`told`."""

    def __init__(self, archive: Archive, leg: Leg, *, key: ClassKey, agent: str) -> None:
        self._archive = archive
        self._leg = leg
        self._folder = session_folder(key.tag.tenant, key.tag.session)
        self._seal = SegmentSeal(key, agent, leg.name.text)
        self._gaps: list[tuple[int, int]] = []
        self._first: Header | None = None
        self._last: Header | None = None

    async def pieces(self) -> AsyncIterator[Stereo]:
        """The audio from its beginning, silence where nothing was kept.

        Raises ``Altered``, ``KeyDestroyed``, ``ArchiveBusy``, ``ArchiveBroken``.
        """
        at = 0
        missing: list[int] = []
        for place, number in enumerate(self._leg.numbers):
            before = self._leg.numbers[place - 1] if place else -1
            header, flac = await self._open(number)
            # Only now: a name that anybody made up may leave out millions.
            missing += range(before + 1, number)
            if self._last is not None and self._last.last is not None:
                raise Altered(f"segment {number}: comes after the last one")
            if header.begin < at or header.begin - at > MAX_SILENCE:
                raise Altered(f"segment {number}: does not follow the one before it")
            self._gaps += header.gaps
            self._first, self._last = self._first or header, header
            for silence in _silence(header.begin - at):
                yield silence
            yield decode(flac, header.end - header.begin)
            at = header.end
        skipped = () if self._last is None else self._last.skipped
        if unexplained := [number for number in missing if number not in skipped]:
            raise Altered(f"segment {unexplained[0]}: is missing")

    @property
    def told(self) -> Told:
        """After all pieces. Raises ``NoRecording`` when there were none."""
        if self._first is None or self._last is None:
            raise NoRecording("there is no recording of this leg")
        return Told(
            leg=self._leg.name,
            began=self._first.began,
            seconds=self._last.end / TICKS_PER_SECOND,
            gaps=tuple((a / TICKS_PER_SECOND, b / TICKS_PER_SECOND) for a, b in self._gaps),
            why=self._last.last,
        )

    async def _open(self, number: int) -> tuple[Header, bytes]:
        sealed = await self._archive.get(segment_name(self._folder, self._leg.name, number))
        header, flac = self._seal.open(number, sealed)
        if self._first is not None and header.began != self._first.began:
            raise Altered(f"segment {number}: is of another recording")
        return header, flac


def _silence(ticks: int) -> list[Stereo]:
    """So long a silence, in pieces of a minute at most."""
    minute = 60 * TICKS_PER_SECOND
    sizes = [minute] * (ticks // minute) + [ticks % minute]
    return [np.zeros((size * LISTEN_FRAME, 2), np.int16) for size in sizes if size]
