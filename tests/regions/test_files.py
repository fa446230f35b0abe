"""A file is replaced whole, or stays as it was; it is read within a bound and without a wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from regions.files import read_file, replace_file


def test_a_file_is_replaced_with_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "law"
    place.write_bytes(b"before")
    replace_file(place, b"after", mode=0o640)
    assert place.read_bytes() == b"after"
    assert stat.S_IMODE(place.stat().st_mode) == 0o640 & ~_umask()
    assert [entry.name for entry in tmp_path.iterdir()] == ["law"]


def test_what_cannot_be_written_leaves_the_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "law"
    place.write_bytes(b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        replace_file(place, b"after")
    assert place.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["law"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "law"
    place.write_bytes(b"abcdef")
    assert (read_file(place, 3), read_file(place, 9)) == (b"abc", b"abcdef")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match=r"is no file|directory"):
            read_file(place, 3)
