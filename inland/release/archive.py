"""A tar that is the same, byte for byte, whenever and wherever it is made of the same files."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Content = Path | bytes


def write_tar(path: Path, files: Mapping[str, Content], date: int) -> str:
    """Write ``files`` (name in the tar to content) to ``path``; returns the tar's SHA-256.

    In the order of their names, of user 0, mode 0644, and all of ``date`` (seconds since 1970).
    ``path`` is replaced at the end, so it is never half a tar.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar:
            for folder in _folders(files):
                entry = _entry(folder, date)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            for name, content in sorted(files.items()):
                _add(tar, _entry(name, date), content)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return digest


def _folders(names: Iterable[str]) -> list[str]:
    parents = {str(parent) for name in names for parent in Path(name).parents}
    return sorted(parents - {"."})


def _entry(name: str, date: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = date, 0o644
    return entry


def _add(tar: tarfile.TarFile, entry: tarfile.TarInfo, content: Content) -> None:
    if isinstance(content, bytes):
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        return
    with content.open("rb") as file:
        entry.size = os.fstat(file.fileno()).st_size
        tar.addfile(entry, file)
