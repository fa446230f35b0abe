"""A release bundle: what is in it, and that it is the same each time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from inland.release.build import Bundle, build_release, source_date
from inland.release.errors import ReleaseError
from inland.release.target import TARGETS
from tests.inland.release.wheels import Folder, make_wheel, pin_of

DATE = 1_700_000_000
NAMES = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
BACKEND = '''\
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    metadata = """Metadata-Version: 2.1
Name: inland
Version: 9.9
Requires-Dist: core
Provides-Extra: edge
Provides-Extra: aws
Requires-Dist: voice; extra == 'edge'
Requires-Dist: cloud; extra == 'aws'
"""
    name = "inland-9.9-py3-none-any.whl"
    info = "inland-9.9.dist-info"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in (
            ("date.txt", os.environ["SOURCE_DATE_EPOCH"]),
            (info + "/METADATA", metadata),
            (info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"),
            (info + "/RECORD", ""),
        ):
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return name
'''
PROJECT = """\
[build-system]
requires = ["maker"]
build-backend = "maker"

[project]
name = "inland"
version = "9.9"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project that builds itself, its lock, and an index beside it."""
    root, index = tmp_path / "checkout", tmp_path / "index"
    root.mkdir()
    (root / "pyproject.toml").write_text(PROJECT)
    lines = [
        pin_of(make_wheel(index, "maker", modules={"maker.py": BACKEND})),
        pin_of(make_wheel(index, "core")),
        pin_of(make_wheel(index, "cloud")),
        pin_of(make_wheel(index, "pip")),
        pin_of(
            *(
                make_wheel(index, "voice", tag=f"cp311-cp311-manylinux_2_17_{target.machine}")
                for target in TARGETS
            )
        ),
    ]
    (root / "constraints.txt").write_text("".join(lines))
    return root


def build(checkout: Path, out: Path, date: int = DATE) -> Bundle:
    return build_release(
        checkout,
        out,
        TARGETS,
        date=date,
        progress=lambda _: None,
        download=Folder(checkout.parent / "index"),
    )


def contents(bundle: Bundle) -> dict[str, bytes]:
    with tarfile.open(bundle.path) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {member.name: tar.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def test_the_same_checkout_gives_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    one, other = build(checkout, tmp_path / "one"), build(checkout, tmp_path / "other")
    assert one.sha256 == other.sha256
    assert one.sha256 == hashlib.sha256(one.path.read_bytes()).hexdigest()
    assert build(checkout, tmp_path / "later", DATE + 1).sha256 != one.sha256


def test_each_role_and_architecture_has_its_list(checkout: Path, tmp_path: Path) -> None:
    files = contents(build(checkout, tmp_path))
    lists = {name: text.decode() for name, text in files.items() if name.startswith("require")}
    assert sorted(lists) == [
        f"requirements/{role}-{target.architecture}.txt"
        for role in ("control-plane", "edge")
        for target in TARGETS
    ]
    for name, text in lists.items():
        packages = [line.partition("==")[0] for line in text.splitlines()]
        assert ("voice" in packages) == ("edge-" in name)
        assert packages[0].startswith("inland[")
        assert {"cloud", "core"} <= {*packages}
        assert "pip" not in packages
        assert "maker" not in packages


def test_every_line_has_the_digest_of_a_wheel_that_is_there(checkout: Path, tmp_path: Path) -> None:
    files = contents(build(checkout, tmp_path))
    there = {
        hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name.endswith(".whl")
    }
    lists = [text.decode() for name, text in files.items() if name.startswith("require")]
    named = {line.partition("sha256:")[2] for text in lists for line in text.splitlines()}
    assert named < there
    assert any(name.startswith("wheels/pip-") for name in files)
    assert len([name for name in files if name.startswith("wheels/voice-")]) == 2


def test_the_manifest_tells_version_platforms_and_date(checkout: Path, tmp_path: Path) -> None:
    bundle = build(checkout, tmp_path)
    manifest = json.loads(contents(bundle)["manifest.json"])
    assert bundle.version == manifest["version"] == "9.9"
    assert manifest["platforms"] == ["amd64", "arm64"]
    assert manifest["python"] == "3.11"
    assert manifest["date"] == "2023-11-14T22:13:20+00:00"


def test_the_date_is_the_environment_s_or_the_commit_s(tmp_path: Path) -> None:
    assert source_date(tmp_path, {"SOURCE_DATE_EPOCH": "17"}) == 17
    commit = ("commit", "--quiet", "--allow-empty", "--message=empty", f"--date=@{DATE}")
    as_nobody = {"GIT_COMMITTER_DATE": f"@{DATE} +0000", **dict.fromkeys(NAMES, "nobody")}
    checkout = tmp_path / "checkout"
    for command in (("init", "--quiet", str(checkout)), ("-C", str(checkout), *commit)):
        subprocess.run(["git", *command], check=True, env=os.environ | as_nobody)
    assert source_date(checkout, {}) == DATE
    with pytest.raises(ReleaseError, match="whole seconds"):
        source_date(tmp_path, {"SOURCE_DATE_EPOCH": "yesterday"})
    with pytest.raises(ReleaseError, match="set SOURCE_DATE_EPOCH"):
        source_date(tmp_path, {})
