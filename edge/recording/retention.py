"""Deletes recordings: those of a session that is erased, and those whose time is over."""

from __future__ import annotations

import re

from edge.recording.archive import (
    ENDS,
    Archive,
    end_marker,
    end_of,
    leg_of,
    segment_of,
    session_folder,
)
from edge.recording.errors import ArchiveBroken

AT_ONCE = 200
"""Sessions that are looked at together."""
MOST = 100_000
"""Sessions of one sweep; the next one takes the others."""


async def delete_session(archive: Archive, tenant: str, session_id: str) -> int:
    """Delete every object of a session; returns how many segments there were.

    A call that is recorded meanwhile finds its mark gone after the next segment, and deletes what
    it brought since. Raises ``ArchiveBusy``, ``ArchiveBroken``; do it again then.
    """
    folder = session_folder(tenant, session_id)
    names = await archive.names(folder)
    await archive.delete(names)
    legs = {leg for name in names if (leg := leg_of(folder, name)) is not None}
    await archive.delete(tuple({end_marker(folder, leg.ends_at) for leg in legs}))
    late = await archive.names(folder)  # what came before its call could see the mark gone
    await archive.delete(late)
    return sum(segment_of(folder, name) is not None for name in {*names, *late})


async def sweep(archive: Archive, now: float) -> int:
    """Delete what is over; returns of how many sessions.

    Nothing can be opened by then: the keys are gone. Up to :data:`AT_ONCE` sessions that cannot be
    deleted, and names that nobody here wrote, hold no other up. Raises ``ArchiveBusy`` at once, and
    ``ArchiveBroken`` after the others.
    """
    count = 0
    broken: ArchiveBroken | None = None
    stuck: set[str] = set()
    while count < MOST and len(stuck) < AT_ONCE:
        markers = await archive.names(ENDS, AT_ONCE + len(stuck))
        over = [marker for marker in markers if _is_over(marker, now) and marker not in stuck]
        stuck |= {marker for marker in markers if _time_of(marker) is None}
        done: list[str] = []
        for marker in over:
            try:
                await _delete_over(archive, marker)
            except ArchiveBroken as error:
                broken = error
                stuck.add(marker)
            else:
                done.append(marker)
        # Last, so that what broke off is found again.
        await archive.delete(tuple(done))
        count += len(done)
        if not over:
            break
    if broken is not None:
        raise broken
    return count


async def _delete_over(archive: Archive, marker: str) -> None:
    end = end_of(marker)
    if end is not None:  # else it is a draft of one, which a worker that was killed left
        await archive.delete(await archive.names(end[1]))


def _is_over(marker: str, now: float) -> bool:
    time = _time_of(marker)
    return time is not None and time <= now


def _time_of(marker: str) -> int | None:
    text = marker.removeprefix(ENDS).partition("/")[0]
    return int(text) if re.fullmatch(r"[0-9]{12}", text) else None
