"""One demo for everything that does not break it; a line for tests that hold a call by hand."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.system.line import Exchange, exchange
from tests.system.world import World, running_demo


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three regions of two workers each. Its logs are searched for defects at the end."""
    with running_demo(tmp_path_factory.mktemp("demo") / "data", "--workers", "2") as found:
        yield found
    assert found.faults() == []


@pytest.fixture
async def callers(world: World) -> AsyncIterator[Exchange]:
    """Makes calls to the shared demo."""
    async with exchange(world) as found:
        yield found


@pytest.fixture
def flite() -> str:
    """Skips a test whose caller needs a voice that recognisers understand."""
    program = shutil.which("flite")
    if program is None:
        pytest.skip("needs flite to speak for the caller (apt install flite)")
    return program
