"""moto's server, once for all; empty at the beginning of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from aiohttp import ClientSession
from moto.server import ThreadedMotoServer

from tests.fakes.autoscaling import FakeAutoScaling
from tests.fakes.imds import FakeImds
from tests.inland.fleet.cloud import Operator
from tests.inland.fleet.rehearsal import Rehearsal
from tests.inland.fleet.stage import LAUNCH, Stage


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def operator(_moto: str) -> Operator:
    """Whoever owns the account: makes what the node finds, sees what it did."""
    with urlopen(Request(f"{_moto}/moto-api/reset", method="POST")):
        return Operator(_moto)


@pytest.fixture
async def stage(operator: Operator, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        FakeAutoScaling(LAUNCH, api=operator.url) as api,
        FakeImds(api=api.url) as imds,
        ClientSession() as http,
    ):
        stage = Stage(operator, imds, api, http, tmp_path)
        yield stage
        stage.aws.close()


@pytest.fixture
async def rehearsal(operator: Operator, tmp_path: Path) -> AsyncIterator[Rehearsal]:
    async with (
        FakeAutoScaling(api=operator.url) as api,
        FakeImds(api=api.url) as imds,
    ):
        yield Rehearsal(operator, imds, api, tmp_path)
