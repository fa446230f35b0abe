"""Recordings in a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge.ledger import Place
from edge.recording.archive import ENDS, MAX_SEGMENT
from edge.recording.errors import ArchiveBroken, ArchiveBusy, NoRecording
from edge.session.hands import Hands
from regions.files import read_file, replace_file

THREADS = 2
STEP_SECONDS = 60.0
"""What a step may take, a list of a full folder; a disk that hangs is given up then."""
T = TypeVar("T")


class FolderArchive:
    """An :class:`~edge.recording.archive.Archive` in a folder that nobody else may read.

    A segment is written under another name, synced, and then given its own: it is there as a whole
    or not at all. What is written is sealed, drafts too.
    """

    def __init__(self, folder: Path, region: str) -> None:
        self.place = Place("bucket", "folder", region)
        self._folder = folder
        self._hands = Hands(
            "the place of recordings", ArchiveBusy, threads=THREADS, seconds=STEP_SECONDS
        )

    async def check(self) -> None:
        await self._run(lambda: _make(self._folder))

    async def put(self, name: str, body: bytes) -> None:
        await self._run(lambda: _write(self._folder / name, body))

    async def get(self, name: str) -> bytes:
        return await self._run(lambda: _read(self._folder / name))

    async def names(self, under: str, most: int | None = None) -> tuple[str, ...]:
        return await self._run(lambda: _names(self._folder, under, most))

    async def delete(self, names: tuple[str, ...]) -> None:
        await self._run(lambda: _delete(self._folder, names))

    async def close(self) -> None:
        self._hands.close()

    async def _run(self, step: Callable[[], T]) -> T:
        try:
            return await self._hands.ask(step)
        except OSError as error:
            # The path names a session; the error's own text would too.
            raise ArchiveBroken(f"the folder of recordings: {error.strerror}") from None


def _make(folder: Path) -> None:
    _private(folder)
    if folder.stat().st_mode & 0o077:
        raise ArchiveBroken(f"{folder}: others may read it: chmod 700 {folder}")
    probe = folder / f".probe-{secrets.token_hex(8)}"
    probe.touch(0o600)
    probe.unlink()


def _private(folder: Path) -> None:
    """Make a folder and those above it that are not there, for nobody else to read."""
    if not folder.is_dir():
        _private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _write(path: Path, body: bytes) -> None:
    _private(path.parent)
    replace_file(path, body)


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_SEGMENT + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NoRecording("there is no such segment") from None


def _names(root: Path, under: str, most: int | None) -> tuple[str, ...]:
    base = root / under
    found: list[str] = []
    if under == ENDS:  # the first ones in order, without a look at all the others
        for end in sorted(_folders(base)):
            found += sorted(_files(root, end))
            if most is not None and len(found) >= most:
                break
    else:
        found = sorted(_files(root, base))
    return tuple(found[:most])


def _folders(base: Path) -> list[Path]:
    for folder, names, _ in os.walk(base, onerror=_unless_gone):
        return [Path(folder) / name for name in names]
    return []


def _files(root: Path, base: Path) -> list[str]:
    """All that is no folder; of a folder that cannot be read it is not said that it is empty."""
    found: list[Path] = []
    for at, folders, names in os.walk(base, onerror=_unless_gone):
        links = [name for name in folders if (Path(at) / name).is_symlink()]
        found += [Path(at) / name for name in (*names, *links)]
    return [path.relative_to(root).as_posix() for path in found]


def _unless_gone(error: OSError) -> None:
    """Others delete here too, and what they deleted is not there."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _delete(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = root / name
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == root:
                break
            with contextlib.suppress(OSError):  # others are left in it, or it is gone
                parent.rmdir()
