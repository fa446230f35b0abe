from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from inland.provision.cloud import Cloud
from tests.inland.provision.clouds import graph, make


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """moto's cloud with the small stack in it. Nothing of it leaves the process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        make(graph())
        yield Cloud()
