"""Every caller is served where the law of that caller allows it, and nowhere else."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inland.caller.errors import RefusedError
from inland.caller.network import HttpNetwork
from inland.caller.options import AGENT
from tests.system.line import Exchange, exchange
from tests.system.world import HANG_SECONDS, INLAND, World, breakable_demo, quiet_environment

pytestmark = pytest.mark.system

HOME = {"DE": "eu-central-1", "IN": "ap-south-1", "AE": "me-central-1"}
EUROPEAN = {"eu-central-1", "eu-west-1"}
CALL_SECONDS = 240.0
"""When a call counts as a hang; three at once take a busy machine a minute."""


async def inland_call(control_plane: str, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """``inland call --json``: its exit status and its records."""
    process = await asyncio.create_subprocess_exec(
        *INLAND, "call", "--json", "--control-plane", control_plane, *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=quiet_environment(),
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), CALL_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record["record"] == kind]


@pytest.mark.usefixtures("flite")
async def test_each_region_books_for_its_own_callers_and_only_there(world: World) -> None:
    await world.empty_books()
    before = {region: await world.appointments(region) for region in HOME.values()}
    async with asyncio.TaskGroup() as group:
        calls = {
            country: group.create_task(
                inland_call(world.control_plane, "--from", country, "--script", "booking")
            )
            for country in HOME
        }
    for country, region in HOME.items():
        status, records = calls[country].result()
        assert status == 0, records[-1]
        (placed,) = of_kind(records, "placement")
        assert placed["candidates"][0]["region"] == region
        assert {connected["region"] for connected in of_kind(records, "connected")} == {region}
        (tool,) = of_kind(records, "tool")
        booked = [row for row in await world.appointments(region) if row not in before[region]]
        assert booked == [tool["output"]]
        assert booked[0]["name"] == "Smith"
        assert booked[0]["time"] == "09:30"
        assert dt.date.fromisoformat(booked[0]["date"]) > dt.date.today()


async def test_german_caller_is_never_sent_outside_the_eea(callers: Exchange) -> None:
    for _ in range(20):
        route = await callers.network.route(AGENT, "DE")
        offered = {candidate.region for candidate in route.candidates}
        assert offered and offered <= EUROPEAN
        verdicts = {verdict.region: verdict for verdict in route.regions}
        for region in ("ap-south-1", "me-central-1"):
            assert not verdicts[region].allowed
            assert "EEA" in verdicts[region].reason
    line = await callers.dial(route.candidates[0].url, route.token)
    assert line.session["inland"]["region"] == "eu-central-1"
    await callers.hang_up(line)


@pytest.mark.parametrize("country", ["CN", "CH"])
async def test_caller_whose_law_leaves_no_region_is_refused_although_every_one_is_free(
    world: World, country: str
) -> None:
    status, records = await inland_call(world.control_plane, "--from", country)
    assert status == 3
    (refused,) = records
    assert refused["code"] == "no_region_allowed"
    assert refused["regions"] and not any(verdict["allowed"] for verdict in refused["regions"])
    assert all(len(verdict["reason"]) > 20 for verdict in refused["regions"])


async def test_american_caller_waits_for_an_american_region_and_is_sent_to_no_other(
    world: World,
) -> None:
    status, records = await inland_call(world.control_plane, "--from", "US")
    assert status == 3
    (refused,) = records
    assert refused["code"] == "no_region_available"
    allowed = {verdict["region"] for verdict in refused["regions"] if verdict["allowed"]}
    assert allowed == {"us-east-1", "us-east-2", "us-west-1", "us-west-2"}


async def test_tenant_of_one_data_centre_is_placed_there_or_not_at_all(callers: Exchange) -> None:
    bank = HttpNetwork(callers.http, callers.world.control_plane, "sk_demo_bank_local_only")
    route = await bank.route("bank-callback", "DE")
    assert [candidate.region for candidate in route.candidates] == ["eu-central-1"]
    with pytest.raises(RefusedError) as refused:
        await bank.route("bank-callback", "IN")
    assert refused.value.code == "no_region_allowed"
    reasons = {verdict.region: verdict.reason for verdict in refused.value.verdicts}
    assert "contract" in reasons["ap-south-1"]


@pytest.fixture
async def breakable(tmp_path: Path) -> AsyncIterator[World]:
    async with breakable_demo(tmp_path / "data", workers=1) as world:
        yield world


async def test_european_is_refused_in_words_when_europe_is_down(breakable: World) -> None:
    async with exchange(breakable) as callers:
        await callers.route("DE")
        assert await breakable.terminated("eu-central-1") == 0
        async with asyncio.timeout(HANG_SECONDS):
            refused = await refusal(callers)
        assert refused.code == "no_region_available"
        assert "eu-central-1" in str(refused)
        for region in ("ap-south-1", "me-central-1"):
            async with callers.http.get(f"{breakable.edges[region]}/readyz") as answer:
                ready = await answer.json()
            assert ready["ready"] and ready["capacity"] > ready["active"]
    status, records = await inland_call(breakable.control_plane, "--from", "DE")
    assert status == 3
    assert records[-1]["code"] == "no_region_available"
    status, _ = await inland_call(breakable.control_plane, "--from", "IN")
    assert status == 0


async def refusal(callers: Exchange) -> RefusedError:
    """How a caller from Germany is refused, as soon as that happens."""
    while True:
        try:
            route = await callers.network.route(AGENT, "DE")
        except RefusedError as refused:
            return refused
        assert {candidate.region for candidate in route.candidates} <= EUROPEAN
        await asyncio.sleep(0.25)  # the control plane's own rate limit, and another process's time
