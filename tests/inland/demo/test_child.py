"""The demo's programs: told apart from each other by their words, and ended in time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from inland.demo.child import Child, DemoError
from inland.demo.files import write_files
from inland.demo.ports import free_ports

pytestmark = pytest.mark.system


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        yield session


async def test_program_that_ends_at_once_is_reported_with_its_last_words(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    missing = tmp_path / "missing.yaml"
    child = await Child.start(
        "edge nowhere", ["edge", "--config", str(missing)], os.environ, tmp_path / "log"
    )
    with pytest.raises(DemoError) as ended:
        await child.until_ready("http://127.0.0.1:9/readyz", http)
    assert "edge nowhere ended with status 2" in str(ended.value)
    assert str(missing) in str(ended.value)
    await child.stop(1)


@pytest.fixture
async def control_plane(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[Child]:
    """A control plane that takes a minute to drain."""
    (port,) = free_ports(1)
    files = write_files(tmp_path / "data", port, {}, 1)
    settings = yaml.safe_load(files.control.read_text()) | {"drain_seconds": 60}
    files.control.write_text(yaml.safe_dump(settings))
    child = await Child.start(
        "control plane", ["control-plane", "--config", str(files.control)], os.environ,
        tmp_path / "log",
    )  # fmt: skip
    try:
        assert await child.until_ready(f"http://127.0.0.1:{port}/readyz", http) > 0
        yield child
    finally:
        if child.process.returncode is None:
            child.process.kill()
        await child.process.wait()


async def test_program_that_does_not_end_in_time_is_ended(control_plane: Child) -> None:
    await asyncio.wait_for(control_plane.stop(0.2), 30)
    assert control_plane.process.returncode == -signal.SIGKILL
    await control_plane.stop(0.2)


async def test_ctrl_c_at_the_terminal_reaches_the_demo_only(control_plane: Child) -> None:
    assert os.getpgid(control_plane.process.pid) != os.getpgid(0)
