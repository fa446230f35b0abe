"""Deletes recordings: those of a session that is erased, and those whose time is over."""

from __future__ import annotations

from edge.recording.archive import (
    ENDS,
    Archive,
    end_marker,
    end_of,
    segment_of,
    session_folder,
)

AT_ONCE = 200
"""Sessions that are looked at together."""
MOST = 100_000
"""Sessions of one sweep; the next one takes the others."""


async def delete_session(archive: Archive, tenant: str, session_id: str) -> int:
    """Delete every object of a session; returns how many segments there were.

    Raises ``ArchiveBusy``, ``ArchiveBroken``; do it again then.
    """
    folder = session_folder(tenant, session_id)
    names = await archive.names(folder)
    await archive.delete(names)
    legs = {place[0] for name in names if (place := segment_of(folder, name)) is not None}
    await archive.delete(tuple({end_marker(folder, leg.ends_at) for leg in legs}))
    return len(names)


async def sweep(archive: Archive, now: float) -> int:
    """Delete what is over; returns of how many sessions.

    Nothing can be opened by then: the keys are gone. Raises ``ArchiveBusy``, ``ArchiveBroken``.
    """
    count = 0
    while count < MOST:
        markers = await archive.names(ENDS, AT_ONCE)
        over = [
            (marker, end[1])
            for marker in markers
            if (end := end_of(marker)) is not None and end[0] <= now
        ]
        for _, folder in over:
            await archive.delete(await archive.names(folder))
        # Last, so that what broke off is found again.
        await archive.delete(tuple(marker for marker, _ in over))
        count += len(over)
        if len(over) < AT_ONCE:
            break
    return count
