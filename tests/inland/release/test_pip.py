"""pip itself, on an index that is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from inland.release import pip
from inland.release.errors import NoWheel, PipFailed
from inland.release.lock import Pin, read_lock
from inland.release.target import TARGETS
from tests.inland.release.wheels import make_wheel, pin_of

AMD64, ARM64 = TARGETS


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def pins_of(tmp_path: Path, *texts: str) -> list[Pin]:
    path = tmp_path / "lock.txt"
    path.write_text("".join(texts))
    lock = read_lock(path)
    names = [text.partition("==")[0] for text in texts]
    return [lock.pin(name, AMD64.environment) for name in names]


def test_each_architecture_gets_its_own_wheel(index: Path, tmp_path: Path) -> None:
    wheels = [
        make_wheel(index, "fast", tag=f"cp311-cp311-{platform}")
        for platform in ("manylinux_2_17_x86_64", "manylinux2014_aarch64", "win_amd64")
    ]
    pins = pins_of(tmp_path, pin_of(*wheels))
    for target, wheel in zip(TARGETS, wheels, strict=False):
        pip.download(pins, target, tmp_path / target.architecture)
        found = [path.name for path in (tmp_path / target.architecture).iterdir()]
        assert found == [wheel.name]


def test_every_package_without_a_wheel_is_named(index: Path, tmp_path: Path) -> None:
    texts = [
        pin_of(make_wheel(index, name, tag="cp311-cp311-manylinux_2_17_x86_64"))
        for name in ("fast", "quick")
    ]
    texts.append(pin_of(make_wheel(index, "pure")))
    with pytest.raises(NoWheel) as refused:
        pip.download(pins_of(tmp_path, *texts), ARM64, tmp_path / "out")
    assert refused.value.packages == ("fast 1.0", "quick 1.0")
    assert "arm64" in str(refused.value)


def test_a_wheel_for_a_newer_libc_than_debian_s_is_none(index: Path, tmp_path: Path) -> None:
    text = pin_of(make_wheel(index, "new", tag="cp311-cp311-manylinux_2_37_x86_64"))
    with pytest.raises(NoWheel):
        pip.download(pins_of(tmp_path, text), AMD64, tmp_path / "out")


def test_a_wheel_with_another_digest_is_refused(index: Path, tmp_path: Path) -> None:
    text = pin_of(make_wheel(index, "thing"))
    make_wheel(index, "thing", modules={"thing.py": "tampered = True\n"})
    with pytest.raises(PipFailed, match="DO NOT MATCH THE HASHES"):
        pip.download(pins_of(tmp_path, text), AMD64, tmp_path / "out")
