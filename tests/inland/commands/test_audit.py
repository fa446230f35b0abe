"""`inland audit`: an auditor with the log, its heads and the region's public key needs no node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.audit_log import Happened
from edge.audit_trail import open_log
from edge.clock import SystemClock
from inland.__main__ import main
from tests.inland.data.parts import Folder, make_folder


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    """A node whose log has a head after its eighth entry, and two entries more."""
    folder = make_folder(tmp_path / "node")
    settings = folder.settings
    log = open_log(settings.audit, settings.data, folder.key, who="node-a", clock=SystemClock())
    for number, sign in ((7, True), (2, False)):
        log.append([Happened(1.0, "session_begun", {"session": "s_1"})] * number, sign=sign)
    assert main(["audit", "key", "--config", str(folder.config)]) == 0
    (tmp_path / "keys.json").write_text(capsys.readouterr().out)
    return folder


def verify(folder: Folder, *more: str, headed: bool = True) -> int:
    data = folder.root / "data"
    command = ["audit", "verify", str(data / "audit.jsonl"), *more]
    if headed:
        keys = folder.root.parent / "keys.json"
        command += ["--heads", str(data / "audit.heads"), "--keys", str(keys)]
    return main(command)


def lines(folder: Folder) -> list[bytes]:
    return (folder.root / "data" / "audit.jsonl").read_bytes().splitlines(keepends=True)


def write(folder: Folder, content: list[bytes]) -> None:
    (folder.root / "data" / "audit.jsonl").write_bytes(b"".join(content))


def test_a_whole_log_passes_and_what_no_head_vouches_for_is_said(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(folder) == 0
    told = capsys.readouterr().out
    assert "10 entries, each following the one before" in told
    assert "vouch for entries 1 to 8, and for none after" in told
    assert verify(folder, headed=False) == 0
    assert "is not checked" in capsys.readouterr().out


def test_what_was_done_to_a_log_is_told_with_its_place(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = lines(folder)
    edited = [*whole[:3], whole[3].replace(b"s_1", b"s_2"), *whole[4:]]
    for content, said in (
        (edited, "edited: entry 4 was edited (line 4)"),
        ([*whole[:4], *whole[6:]], "deleted: entries 5 to 6 are missing"),
        ([*whole[:2], whole[6], *whole[2:]], "inserted: entry 7 stands there once more"),
        ([*whole[:5], whole[6], whole[5], *whole[7:]], "moved: entry"),
        (whole[:6], "truncated: entries 7 to 8 are missing at the end"),
    ):
        write(folder, content)
        assert verify(folder) == 1
        assert said in capsys.readouterr().out


def test_programs_are_told_in_json(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, lines(folder)[:6])
    assert verify(folder, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["entries"], told["covered"]) == (6, 0)
    (finding,) = told["findings"]
    assert (finding["kind"], finding["first"], finding["last"]) == ("truncated", 7, 8)


def test_another_regions_key_vouches_for_nothing(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_folder(tmp_path / "other")
    main(["audit", "key", "--config", str(other.config)])
    (tmp_path / "keys.json").write_text(capsys.readouterr().out)
    assert verify(folder) == 1
    assert "signed by none of the given keys" in capsys.readouterr().out


def test_no_heads_at_all_are_no_proof(folder: Folder) -> None:
    (folder.root / "data" / "audit.heads").write_text("")
    assert verify(folder) == 1


def test_the_key_that_is_printed_is_public(folder: Folder, tmp_path: Path) -> None:
    (key,) = json.loads((tmp_path / "keys.json").read_text())["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}


def test_files_that_are_not_there_are_named(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = folder.root / "data" / "audit.jsonl"
    assert main(["audit", "verify", str(tmp_path / "none")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert main(["audit", "verify", str(log), "--heads", str(log)]) == 2
    assert "belong together" in capsys.readouterr().err
    assert main(["audit", "verify", str(log), "--heads", str(log), "--keys", str(log)]) == 2
