"""The demo as a whole begins in one command and ends with one key."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest

from inland.demo.child import DemoError
from inland.demo.supervisor import DemoOptions, demo
from tests.system.world import INLAND, World, assert_ends, first_line, quiet_environment

pytestmark = pytest.mark.system

EU = "eu-central-1"


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*INLAND, "demo", "--free-ports", "--workers", "1", "--regions", EU, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=quiet_environment(),
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_ends_everything_and_leaves_no_folder_and_no_process() -> None:
    process = start("--json")
    family: list[psutil.Process] = []
    data: Path | None = None
    try:
        world = World.parse(first_line(process))
        data = world.data
        assert data.is_dir()
        family = psutil.Process(process.pid).children(recursive=True)
        assert set(world.pids.values()) <= {each.pid for each in family}
    finally:
        assert_ends(process, family, signal.SIGINT)
    assert data is not None and not data.exists()


def test_part_that_dies_leaves_the_others_running() -> None:
    """Whoever kills an edge to see what happens must not lose the demo with it."""
    process = start("--json", "--regions", f"{EU},ap-south-1", "--workers", "1")
    family: list[psutil.Process] = []
    try:
        world = World.parse(first_line(process))
        doomed = psutil.Process(world.pids["edge ap-south-1"])
        orphans = [doomed, *doomed.children(recursive=True)]
        everyone = psutil.Process(process.pid).children(recursive=True)
        family = [each for each in everyone if each not in orphans]
        doomed.kill()
        psutil.wait_procs([doomed], timeout=60)
        with urllib.request.urlopen(world.edges[EU] + "/readyz", timeout=60) as ready:
            assert ready.status == 200
        assert process.poll() is None
    finally:
        assert_ends(process, family, signal.SIGINT)


def test_ctrl_c_while_it_starts_ends_everything_as_well(tmp_path: Path) -> None:
    process = start("--data", str(tmp_path / "data"))
    assert first_line(process).startswith("Starting")
    family = psutil.Process(process.pid).children(recursive=True)
    assert_ends(process, family, signal.SIGINT)


def test_folder_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    process = start("--json", "--data", str(tmp_path / "data"))
    family: list[psutil.Process] = []
    try:
        assert World.parse(first_line(process)).data == tmp_path / "data"
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        assert_ends(process, family, signal.SIGTERM)
    assert (tmp_path / "data" / "logs" / f"{EU}.log").exists()


@pytest.mark.parametrize("regions", [("mars-1",), (), (EU, EU)])
async def test_regions_that_cannot_be_run_are_refused_before_anything_starts(
    regions: tuple[str, ...], tmp_path: Path
) -> None:
    options = DemoOptions(free_ports=True, regions=regions)
    with pytest.raises(DemoError):
        async with demo(options, tmp_path / "data", lambda text: None):
            pytest.fail("it started")
    assert not (tmp_path / "data").exists()
