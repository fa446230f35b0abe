"""moto's server, once for all; empty at the beginning of each test."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from tests.inland.fleet.cloud import Operator


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
