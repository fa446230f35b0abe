"""Every test here drives a real peer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.certificates import Certificates, make_certificates


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder; the hook is told of every test of the run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.peers)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """One authority and one certificate for loopback."""
    return make_certificates(tmp_path / "certificates")
