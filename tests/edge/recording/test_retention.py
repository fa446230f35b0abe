"""The sweeper gets through, whatever lies in its way."""

from __future__ import annotations

import pytest

from edge.recording.archive import ENDS, end_marker, segment_name, session_folder
from edge.recording.errors import ArchiveBroken, ArchiveBusy
from edge.recording.retention import AT_ONCE, sweep
from tests.edge.recording.parts import LEG, TENANT, MemoryArchive

NOW = 1000


async def archive_of(sessions: int, *, end: int = 10) -> MemoryArchive:
    archive = MemoryArchive()
    for number in range(sessions):
        folder = session_folder(TENANT, f"s_{number:04d}")
        archive.kept[segment_name(folder, LEG, 0)] = b"x"
        archive.kept[end_marker(folder, end)] = b""
    return archive


async def test_a_name_that_nobody_here_wrote_holds_nothing_up() -> None:
    archive = await archive_of(AT_ONCE + 20)
    archive.kept[f"{ENDS}.DS_Store"] = b"before all others"
    assert await sweep(archive, NOW) == AT_ONCE + 20
    assert set(archive.kept) == {f"{ENDS}.DS_Store"}


async def test_a_draft_of_a_worker_that_was_killed_goes_with_its_time() -> None:
    archive = MemoryArchive()
    draft = f"{ENDS}{10:012d}/{TENANT}/.s_1.0123456789abcdef"
    later = f"{ENDS}{NOW + 1:012d}/{TENANT}/.s_1.0123456789abcdef"
    archive.kept |= {draft: b"", later: b""}
    await sweep(archive, NOW)
    assert set(archive.kept) == {later}


class Locked(MemoryArchive):
    """Deletes nothing of one session."""

    error: Exception = ArchiveBroken("not ours")

    async def delete(self, names: tuple[str, ...]) -> None:
        if any(name.startswith(f"{TENANT}/s_0000/") for name in names):
            raise self.error
        await super().delete(names)


async def test_a_session_that_cannot_be_deleted_keeps_no_other() -> None:
    archive = Locked()
    archive.kept = (await archive_of(AT_ONCE + 20)).kept
    with pytest.raises(ArchiveBroken, match="not ours"):
        await sweep(archive, NOW)
    folder = session_folder(TENANT, "s_0000")
    assert set(archive.kept) == {segment_name(folder, LEG, 0), end_marker(folder, 10)}


async def test_a_place_without_time_is_not_asked_for_each_session() -> None:
    archive = Locked()
    archive.error = ArchiveBusy("no answer in time")
    archive.kept = (await archive_of(3)).kept
    with pytest.raises(ArchiveBusy):
        await sweep(archive, NOW)
    assert len(archive.kept) == 6
