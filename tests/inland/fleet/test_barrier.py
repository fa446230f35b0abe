"""What the services of a node that takes calls may reach, against the fake metadata."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import pytest
from aiohttp import ClientSession

from edge.egress.ways import METADATA
from infra.cloud_init.document import NodeDocument
from inland.demo import __file__ as demo_file
from inland.fleet.barrier import Barrier, Nft
from inland.fleet.errors import Unusable
from inland.fleet.metadata import Metadata
from inland.fleet.places import Places
from tests.edge.egress.site import Names
from tests.fakes.imds import FakeImds
from tests.fakes.stepping_clock import Enough, SteppingClock
from tests.inland.fleet.documents import EDGE, MACHINE, TURN, document
from tests.inland.fleet.test_edge_files import PHONE

HOSTS = {
    "a.eu-central-1.voice.example.org": ["203.0.113.1"],
    "store.example.org": ["10.20.240.7"],
    "kms.eu-central-1.amazonaws.com": ["10.20.241.9"],
}
TOOL_VARIABLE = "url_env: CLINIC_BOOKING_URL"


class Kernel:
    """A loader that keeps what it was given."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    async def load(self, rules: str) -> None:
        self.loaded.append(rules)


class Rehearsal:
    """A prepared machine's document, site and metadata."""

    def __init__(self, http: ClientSession, imds: FakeImds, folder: Path) -> None:
        self.http, self.imds = http, imds
        self.places = Places(run=folder / "run", site=folder / "site", state=folder / "state")
        agents = self.places.site / "agents"
        copytree(Path(demo_file).parent / "agents", agents)
        for path in agents.glob("*.yaml"):
            path.write_text(path.read_text().replace(TOOL_VARIABLE, "url: http://127.0.0.1:1"))
        self.kernel, self.clock = Kernel(), SteppingClock()

    def barrier(self, told: NodeDocument, hosts: dict[str, list[str]] | None = None) -> Barrier:
        return Barrier(
            document=told,
            places=self.places,
            metadata=Metadata(self.http, told.endpoint),
            loader=self.kernel,
            clock=self.clock,
            cpus=2,
            lookup=Names(HOSTS if hosts is None else hosts),
        )

    async def rules(self) -> str:
        await self.barrier(document(endpoint=self.imds.url)).run()
        (rules,) = self.kernel.loaded
        return rules


@pytest.fixture
async def rehearsal(tmp_path: Path) -> AsyncIterator[Rehearsal]:
    async with FakeImds() as imds, ClientSession() as http:
        yield Rehearsal(http, imds, tmp_path)


async def test_the_services_reach_what_the_node_needs_and_their_user_nothing_else(
    rehearsal: Rehearsal,
) -> None:
    rules = await rehearsal.rules()
    assert 'meta skuid != "inland" accept' in rules
    assert "policy drop" in rules
    for needed in ("203.0.113.1 . 443", "10.20.240.7 . 6379", "10.20.241.9 . 443"):
        assert needed in rules
    for network in EDGE.data_networks:
        assert f"ip daddr {network} tcp dport {{ 443, 6379 }}" in rules


async def test_nothing_that_the_services_could_write_widens_it(rehearsal: Rehearsal) -> None:
    folder = rehearsal.places.run
    folder.mkdir()
    rehearsal.places.edge.write_text("control_planes: ['https://198.51.100.66']\n")
    rehearsal.places.environment.write_text('INLAND_MODEL_URL="https://198.51.100.66/v1"\n')
    assert "198.51.100.66" not in await rehearsal.rules()


async def test_nothing_is_loaded_before_every_name_has_an_address(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    def enough(slept: int) -> None:
        if slept == 3:
            raise Enough

    rehearsal.clock.on_sleep = enough
    hosts = {name: found for name, found in HOSTS.items() if not name.startswith("kms.")}
    with pytest.raises(Enough):
        await rehearsal.barrier(document(endpoint=rehearsal.imds.url), hosts).run()
    assert rehearsal.kernel.loaded == []
    assert "waits for a name" in caplog.text


async def test_in_the_cloud_only_what_has_no_endpoint_inside_is_reached_outside(
    rehearsal: Rehearsal,
) -> None:
    ways = rehearsal.barrier(document()).ways(EDGE, MACHINE)
    assert {(way.host, way.port) for way in ways.tcp} == {
        ("a.eu-central-1.voice.example.org", 443),
        ("store.example.org", 6379),
        ("kms.eu-central-1.amazonaws.com", 443),
        METADATA,
        ("acm.eu-central-1.amazonaws.com", 443),
        ("route53.amazonaws.com", 443),
    }


async def test_telephone_calls_leave_from_the_nodes_ports(rehearsal: Rehearsal) -> None:
    (rehearsal.places.site / "phone.yaml").write_text(PHONE)
    role = EDGE.model_copy(update={"phone_secret": "inland/eu-central-1/phone"})
    ways = rehearsal.barrier(document(role)).ways(role, MACHINE)
    assert ways.sip_ports == (5060,)
    assert [way.destination.host for way in ways.sip] == ["sip.carrier.example.org"]


async def test_a_site_without_agents_and_a_machine_of_another_role_are_refused(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Unusable, match="the role turn has no barrier"):
        await rehearsal.barrier(document(TURN, endpoint=rehearsal.imds.url)).run()
    for path in (rehearsal.places.site / "agents").iterdir():
        path.unlink()
    with pytest.raises(Unusable, match="no agent here"):
        await rehearsal.barrier(document(endpoint=rehearsal.imds.url)).run()
    assert rehearsal.kernel.loaded == []


async def test_a_kernel_that_refuses_the_rules_is_told_in_words(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    nft = tmp_path / "nft"
    nft.write_text(f"#!/bin/sh\ncat > {heard}\necho 'Error: no' >&2\nexit 1\n")
    nft.chmod(0o755)
    with pytest.raises(Unusable, match="cannot be loaded: Error: no"):
        await Nft(str(nft)).load("table inet x {}\n")
    assert heard.read_text() == "table inet x {}\n"
