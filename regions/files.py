"""Files that are written whole or not at all, and read without a wait and within a bound."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def read_file(path: Path, most: int) -> bytes:
    """The first ``most`` bytes. What is no regular file is refused: opening a pipe would wait for
    ever. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no file")
        return file.read(most)


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put ``content`` in place of ``path``; both the bytes and the name are on the disk when this
    returns. Readers see the file before or this one, never a part. Raises ``OSError``."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
