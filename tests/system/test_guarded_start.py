"""A node does not start where data could go elsewhere than its settings say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from tests.system.test_bad_setup import SECRET, change, config, ended

__all__ = ["config"]
pytestmark = pytest.mark.system

REMOTE = {**SECRET, "CLINIC_BOOKING_URL": "https://bookings.example.org/v1"}
PROVIDER = {
    "id": "bookings",
    "purposes": ["tool"],
    "endpoints": ["https://bookings.example.org"],
    "region": "eu-central-1",
    "operator": {"name": "Bookings GmbH", "country": "DE"},
    "data_classes": ["variables"],
}


def listed(config: Path, **changes: object) -> None:
    path = config.parent / "providers.yaml"
    path.write_text(yaml.safe_dump({"providers": [PROVIDER | changes]}))
    change(config, providers=str(path))


@pytest.mark.parametrize("only_check", [True, False])
async def test_a_tool_of_nobody_is_named_with_its_agent(config: Path, only_check: bool) -> None:
    check = ["--check"] if only_check else []
    status, said = await ended("edge", "--config", str(config), *check, **REMOTE)
    assert status == 2
    assert "agent 'clinic-reception': tool 'book_appointment'" in said
    assert "https://bookings.example.org:443 is not in the provider catalogue" in said


async def test_a_listed_tool_may_be_used(config: Path) -> None:
    listed(config)
    status, said = await ended("edge", "--config", str(config), "--check", **REMOTE)
    assert (status, said) == (0, "")


async def test_a_tool_that_runs_in_another_region_stops_the_start(config: Path) -> None:
    listed(config, region="eu-west-1")
    status, said = await ended("edge", "--config", str(config), **REMOTE)
    assert status == 2
    assert "bookings runs in eu-west-1 and not in eu-central-1" in said


async def test_a_model_without_its_key_stops_the_start(config: Path) -> None:
    listed(
        config, purposes=["tool", "model"], data_classes=["variables", "transcript"], needs_key=True
    )
    model = {
        "INLAND_MODEL_URL": "https://bookings.example.org/v1",
        "INLAND_MODEL": "m",
        "INLAND_MODEL_REGION": "here",
    }
    status, said = await ended("edge", "--config", str(config), "--check", **REMOTE, **model)
    assert status == 2
    assert "model: bookings answers only those who show a key" in said
    keyed = {**model, "INLAND_MODEL_KEY": "k"}
    status, said = await ended("edge", "--config", str(config), "--check", **REMOTE, **keyed)
    assert (status, said) == (0, "")


async def test_a_node_that_reaches_a_forbidden_address_does_not_start(config: Path) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        change(config, egress_probe=address)
        status, said = await ended("edge", "--config", str(config), **SECRET)
    assert status == 2
    assert f"egress_probe: {address} can be reached from here" in said
    assert "takes calls" not in said


async def test_production_refuses_what_only_a_rehearsal_may_do(config: Path) -> None:
    status, said = await ended("edge", "--config", str(config), "--production", "--check", **SECRET)
    assert status == 2
    assert f"{config}: drills: " in said, "the demo's settings have drills"
    assert f"{config}: public_url: " in said
    status, said = await ended("edge", "--config", str(config), "--check", **SECRET)
    assert (status, said) == (0, "")


async def test_rules_are_not_printed_for_ports_that_nobody_knows(config: Path) -> None:
    rules = ["--egress-rules", "nft"]
    status, said = await ended("edge", "--config", str(config), *rules, **SECRET)
    assert status == 2
    assert "media_port: 0 takes free ports" in said
