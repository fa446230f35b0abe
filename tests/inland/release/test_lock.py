"""The lock file is read strictly, and asked about the machine that the release is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from inland.release.build import source_root
from inland.release.errors import LockError
from inland.release.lock import read_lock
from inland.release.target import TARGETS, Target

AMD64, ARM64 = TARGETS
ONE, OTHER = "1" * 64, "2" * 64


def lock_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "constraints.txt"
    path.write_text(text)
    return path


def test_a_pin_has_the_digests_of_all_its_files(tmp_path: Path) -> None:
    text = f"Some_Thing==1.2 \\\n    --hash=sha256:{ONE} \\\n    --hash=sha256:{OTHER}\n"
    pin = read_lock(lock_of(tmp_path, text)).pin("some.thing", AMD64.environment)
    assert (pin.name, pin.version) == ("some-thing", "1.2")
    assert pin.hashes == (f"sha256:{ONE}", f"sha256:{OTHER}")
    assert pin.line == f"some-thing==1.2 --hash=sha256:{ONE} --hash=sha256:{OTHER}"


@pytest.mark.parametrize(("target", "version"), [(AMD64, "1"), (ARM64, "2")])
def test_of_two_pins_the_one_for_the_machine_is_taken(
    tmp_path: Path, target: Target, version: str
) -> None:
    text = (
        f"thing==1 ; platform_machine == 'x86_64' \\\n    --hash=sha256:{ONE}\n"
        f"thing==2 ; platform_machine != 'x86_64' \\\n    --hash=sha256:{OTHER}\n"
    )
    lock = read_lock(lock_of(tmp_path, text))
    assert lock.pin("thing", target.environment).version == version


def test_debian_s_patch_release_of_python_counts_and_not_ours(tmp_path: Path) -> None:
    text = f"old==1 ; python_full_version < '3.11.3' \\\n    --hash=sha256:{ONE}\n"
    assert read_lock(lock_of(tmp_path, text)).pin("old", ARM64.environment)


def test_a_package_that_is_not_locked_is_refused_with_the_cure(tmp_path: Path) -> None:
    lock = read_lock(lock_of(tmp_path, f"a==1 --hash=sha256:{ONE}\n"))
    with pytest.raises(LockError, match=r"no b for aarch64: run `make constraints`"):
        lock.pin("b", ARM64.environment)


@pytest.mark.parametrize(
    "line",
    ["thing==1", "thing>=1 --hash=sha256:" + ONE, "thing==1 --hash=md5:0", "-e .", "thing @ f"],
)
def test_what_is_not_pinned_by_digest_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(LockError, match="is not NAME==VERSION"):
        read_lock(lock_of(tmp_path, f"{line}\n"))


def test_a_lock_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(tmp_path / "constraints.txt")


def test_our_own_lock_has_a_pip_for_machines_without_one() -> None:
    lock = read_lock(source_root() / "constraints.txt")
    assert all(lock.pin("pip", target.environment) for target in TARGETS)
