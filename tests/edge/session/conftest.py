"""Fixtures of the session tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.session.keys import LocalKeyFile
from edge.session.sqlite import SqliteStore
from tests.edge.session.parts import key_file


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    yield store
    await store.close()


@pytest.fixture
def keys(tmp_path: Path) -> LocalKeyFile:
    return key_file(tmp_path)
