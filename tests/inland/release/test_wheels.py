"""Everything that a machine needs is found, for that machine and by the lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from inland.release.errors import LockError, NoWheel
from inland.release.lock import read_lock
from inland.release.target import TARGETS, Target
from inland.release.wheels import Closure, Wheel
from tests.inland.release.wheels import Folder, make_wheel, pin_of

AMD64, ARM64 = TARGETS


class World:
    """An index and its lock."""

    def __init__(self, tmp_path: Path) -> None:
        self._tmp_path = tmp_path
        self.index = tmp_path / "index"
        self.lines: list[str] = []
        self.said: list[str] = []

    def wheel(self, name: str, *requires: str, version: str = "1.0") -> None:
        self.lines.append(pin_of(make_wheel(self.index, name, version, *requires)))

    def closure(self, target: Target) -> Closure:
        lock = self._tmp_path / "constraints.txt"
        lock.write_text("".join(self.lines))
        folder = self._tmp_path / target.architecture
        return Closure(read_lock(lock), target, folder, Folder(self.index), self.said.append)

    def of(self, target: Target, *requirements: str, extras: tuple[str, ...] = ()) -> list[str]:
        wanted = [Requirement(text) for text in requirements]
        return [wheel.name for wheel in self.closure(target).of(wanted, extras)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_requirements_require_is_found_too(world: World) -> None:
    world.wheel("a", "b>=1")
    world.wheel("b", "c")
    world.wheel("c", "a")
    assert world.of(AMD64, "a") == ["a", "b", "c"]


def test_extras_count_where_they_are_asked_for_and_nowhere_else(world: World) -> None:
    world.wheel("a", "b[fast]", "d; extra == 'other'")
    world.wheel("b", "c; extra == 'fast'")
    world.wheel("c")
    world.wheel("d")
    assert world.of(AMD64, "a") == ["a", "b", "c"]


def test_an_extra_that_is_asked_for_later_counts(world: World) -> None:
    world.wheel("a", "b")
    world.wheel("b", "c; extra == 'fast'")
    world.wheel("c")
    world.wheel("d", "b[fast]")
    assert world.of(AMD64, "a", "d") == ["a", "b", "c", "d"]


def test_the_project_s_own_extras_are_chosen(world: World) -> None:
    for name in ("a", "b", "c"):
        world.wheel(name)
    wanted = ("a", "b; extra == 'edge'", "c; extra == 'test'")
    assert world.of(AMD64, *wanted, extras=("edge",)) == ["a", "b"]
    assert world.of(AMD64, *wanted) == ["a"]


def test_markers_are_asked_about_the_machine_of_the_release(world: World) -> None:
    world.wheel("a", "b; platform_machine == 'aarch64'", "c; sys_platform == 'win32'")
    world.wheel("b")
    assert world.of(AMD64, "a") == ["a"]
    assert world.of(ARM64, "a") == ["a", "b"]


def test_a_lock_that_is_older_than_a_requirement_is_refused(world: World) -> None:
    world.wheel("a", "b>=2")
    world.wheel("b")
    with pytest.raises(LockError, match=r"b>=2 is required and constraints.txt has b 1.0"):
        world.of(AMD64, "a")


def test_a_package_without_a_wheel_is_named(world: World) -> None:
    world.wheel("a")
    for wheel in world.index.glob("*.whl"):
        wheel.unlink()
    with pytest.raises(NoWheel, match=r"no wheel for arm64: a"):
        world.of(ARM64, "a")


def test_each_wheel_is_fetched_once(world: World) -> None:
    world.wheel("a", "b")
    world.wheel("b")
    closure = world.closure(AMD64)
    closure.of([Requirement("a")], ())
    said = [*world.said]
    closure.of([Requirement("b")], ())
    assert world.said == said == ["amd64: fetching a", "amd64: fetching b"]


def test_a_line_names_the_very_file(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "some-thing", "2.0")
    line = Wheel(path, "some-thing", "2.0").line  # type: ignore[arg-type]
    assert line == pin_of(path).replace(" \\\n    ", " ").strip()
