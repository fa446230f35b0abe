"""Files that are there whole or not at all, and that nobody else can read."""

from __future__ import annotations

from pathlib import Path

from regions.files import replace_file


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` in place of ``path``, mode 0600. Its folder is made 0700 when missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, content)
