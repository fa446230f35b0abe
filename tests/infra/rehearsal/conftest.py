"""One moto for the rehearsals of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infra.rehearsal.cloud import moto


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as address:
        yield address
