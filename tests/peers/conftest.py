"""Every test here drives a real peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.peers.certificates import Certificates, make_certificates
from tests.peers.node import PhoneNode, patient_agents, phone_node


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


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PhoneNode]:
    """One node for all that do not break it or want another: its tests run on this loop, with the
    mark ``asyncio(loop_scope="package")``. Its log is searched for defects at the end."""
    folder = tmp_path_factory.mktemp("node")
    agents = str(patient_agents(folder / "agents"))
    async with phone_node(folder, edge={"agents": agents}) as found:
        yield found
    assert found.faults() == []
