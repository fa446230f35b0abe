"""A restart goes back to no older law: what is kept is whole, verified, and never older."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.policy_kept import NAME, KeptBroken, KeptBundle, Signed
from regions.bundle import MAX_BUNDLE, verify
from tests.fakes.policy import STRANGER, TRUSTED, bundle, forged


def signed(serial: int) -> Signed:
    raw = bundle(serial)
    return Signed(raw, verify(raw, TRUSTED))


def test_what_is_kept_is_read_again_by_the_next_start(tmp_path: Path) -> None:
    assert KeptBundle(tmp_path, TRUSTED).read() is None
    KeptBundle(tmp_path, TRUSTED).keep(signed(3))
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert (found.raw, found.body.serial) == (bundle(3), 3)


def test_nobody_else_reads_it_and_no_draft_is_left(tmp_path: Path) -> None:
    os.umask(0)
    try:
        KeptBundle(tmp_path, TRUSTED).keep(signed(1))
    finally:
        os.umask(0o022)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{NAME}.lock", NAME]


def test_an_older_one_of_a_sibling_that_shares_the_folder_does_not_replace_it(
    tmp_path: Path,
) -> None:
    KeptBundle(tmp_path, TRUSTED).keep(signed(5))
    KeptBundle(tmp_path, TRUSTED).keep(signed(4))
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert found.body.serial == 5


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        (forged(bundle(5)), "bad_signature"),
        (bundle(5, key=STRANGER), "unknown_key"),
        (bundle(5)[:-40], "malformed"),
        (b"", "malformed"),
        (b" " * (MAX_BUNDLE + 1), "malformed"),
    ],
)
def test_a_broken_one_is_told_with_words_and_not_replaced(
    tmp_path: Path, kept: bytes, code: str
) -> None:
    """Nobody knows which law was in force last, so nobody goes on by another."""
    (tmp_path / NAME).write_bytes(kept)
    with pytest.raises(KeptBroken, match=code):
        KeptBundle(tmp_path, TRUSTED).read()
    with pytest.raises(KeptBroken, match=code):
        KeptBundle(tmp_path, TRUSTED).keep(signed(9))
    assert (tmp_path / NAME).read_bytes() == kept


def test_a_draft_that_cannot_be_finished_leaves_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KeptBundle(tmp_path, TRUSTED).keep(signed(1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        KeptBundle(tmp_path, TRUSTED).keep(signed(2))
    monkeypatch.undo()
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert found.body.serial == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{NAME}.lock", NAME]
