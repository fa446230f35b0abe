"""A bundle's digest tells its content and nothing of who packed it."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

from inland.release.archive import write_tar

DATE = 1_700_000_000


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = tmp_path / "one"
    first.write_bytes(b"content")
    os.chmod(first, 0o600)
    os.utime(first, (1, 1))
    one = write_tar(tmp_path / "a.tar", {"b/c": first, "a": b"x"}, DATE)
    os.chmod(first, 0o755)
    os.utime(first, (2, 2))
    other = write_tar(tmp_path / "b.tar", {"a": b"x", "b/c": b"content"}, DATE)
    assert one == other
    assert one == hashlib.sha256((tmp_path / "b.tar").read_bytes()).hexdigest()


def test_another_date_is_another_bundle(tmp_path: Path) -> None:
    digests = {write_tar(tmp_path / "a.tar", {"a": b"x"}, DATE + n) for n in range(2)}
    assert len(digests) == 2


def test_only_files_and_folders_of_nobody_in_the_order_of_their_names(tmp_path: Path) -> None:
    long = "wheels/" + "w" * 150
    write_tar(tmp_path / "a.tar", {long: b"1", "deep/er/file": b"2", "a": b"3"}, DATE)
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == [
        *("deep", "deep/er", "wheels"),
        *("a", "deep/er/file", long),
    ]
    assert all(member.isfile() or member.isdir() for member in members)
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {
        (0, 0, "", DATE)
    }
    assert {member.mode for member in members} == {0o644, 0o755}


def test_nothing_half_written_stays_behind(tmp_path: Path) -> None:
    try:
        write_tar(tmp_path / "a.tar", {"a": b"x", "gone": tmp_path / "gone"}, DATE)
    except FileNotFoundError:
        assert [*tmp_path.iterdir()] == []
    else:
        raise AssertionError
