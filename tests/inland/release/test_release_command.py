"""``inland release`` as an operator types it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inland.__main__ import main
from inland.demo import __file__ as demo_file
from inland.release import build
from inland.release.errors import NoWheel

TENANTS = Path(demo_file).parent / "tenants.yaml"


def test_the_digest_that_is_printed_is_the_file_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "tenants.yaml").write_text(TENANTS.read_text())
    assert main(["release", "site", str(site), "--out", str(tmp_path / "out")]) == 0
    digest = hashlib.sha256((tmp_path / "out/inland-site.tar").read_bytes()).hexdigest()
    assert f"site: {digest}\n" in capsys.readouterr().out


def test_a_wrong_site_is_refused_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "site", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_package_without_a_wheel_ends_the_build_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NoWheel(["thing 1.0"], "arm64")

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(build, "build_release", refuse)
    assert main(["release", "build", "--platform", "arm64"]) == 2
    assert "no wheel for arm64: thing 1.0" in capsys.readouterr().err


def test_an_unknown_platform_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["release", "build", "--platform", "riscv64"])
    assert ended.value.code == 2
    assert "amd64" in capsys.readouterr().err
