"""A whole region dies, or may not have the call any more: its caller carries the conversation to a
sibling region that may have it, and to no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import psutil
import pytest

from control_plane.tokens import load_or_create_key
from inland.caller.options import CallOptions
from inland.caller.records import AgentSaid, Connected, Note, Placed, Record, Tool
from inland.caller.report import CallReport
from inland.caller.script import Script, TypeIn
from inland.caller.session import HeadlessCall
from inland.policy.inputs import verified
from inland.policy.signing import put, signed
from regions.models import TenantPolicy
from tests.system.test_conversation_survives import WISH
from tests.system.world import (
    END_SECONDS,
    INLAND,
    READY_SECONDS,
    World,
    breakable_demo,
    quiet_environment,
    until,
)

pytestmark = pytest.mark.system

DE, IE, IN = "eu-central-1", "eu-west-1", "ap-south-1"


@asynccontextmanager
async def doomed(world: World, region: str) -> AsyncIterator[Callable[[], None]]:
    """The region's node, as a process that may be killed; calling what this gives kills it."""
    assert await world.terminated(region) == 0
    await until(lambda: gone_from(world, region))
    secrets = {
        "INLAND_NODE_SECRET": world.secrets[region],
        "CLINIC_BOOKING_URL": world.clinics[region],
    }
    with (world.data / "logs" / f"{region}-doomed.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *INLAND, "edge", "--config", str(world.data / region / "edge.yaml"),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=quiet_environment() | secrets,
        )  # fmt: skip

    def kill() -> None:
        dispatcher = psutil.Process(process.pid)
        for each in [dispatcher, *dispatcher.children(recursive=True)]:
            each.kill()

    try:
        await until(lambda: placed_in(world, region), READY_SECONDS)
        yield kill
    finally:
        if process.returncode is None:
            kill()
        await asyncio.wait_for(process.wait(), END_SECONDS)


async def placed_in(world: World, region: str) -> bool:
    """Whether the control plane sends calls there again."""
    country = "IN" if region == IN else "DE"
    async with aiohttp.ClientSession() as http:
        answer = await http.post(
            f"{world.control_plane}/v1/route",
            json={"agent": "clinic-reception", "country": country},
            headers={"Authorization": "Bearer sk_demo_clinic_local_only"},
        )
        body = await answer.json()
    return region in [each["region"] for each in body.get("candidates", ())]


async def gone_from(world: World, region: str) -> bool:
    """Whether the control plane has heard that the region's node ended."""
    return not await placed_in(world, region)


async def called(
    world: World, watch: Callable[[Record], None], *, country: str = "DE", until_word: str = "no"
) -> CallReport:
    """A booking, typed; ``watch`` sees each record as it happens."""
    options = CallOptions(control_plane=world.control_plane, country=country)
    lines = (*WISH, "yes", until_word)
    async with HeadlessCall(options, on_record=watch) as call:
        return await call.run(Script(tuple(TypeIn(words) for words in lines)))


def once(kind: type[Record], words: str, do: Callable[[], None]) -> Callable[[Record], None]:
    """Do it at the first record of a kind whose text has ``words``."""
    done = False

    def watch(record: Record) -> None:
        nonlocal done
        if not done and isinstance(record, kind) and words in str(record):
            done = True
            do()

    return watch


def sign(world: World, **changes: object) -> None:
    """The next bundle of the demo's operator."""
    key, path = load_or_create_key(world.data / "policy.key"), world.data / "policy.bundle"
    old = verified(path, [key.public_key()])
    body = old.model_copy(
        update={"serial": old.serial + 1, "issued_at": int(time.time()), **changes}
    )
    put(path, signed(body, key), instead_of=path)


async def in_force(world: World, serial: int, *regions: str) -> None:
    """Returns when these regions' nodes rule by that bundle."""

    async def everywhere() -> bool:
        serials = [await world.metric(region, "inland_policy_serial") for region in regions]
        return all(found >= serial for found in serials)

    await until(everywhere)


async def receipts(world: World, region: str, session_id: str) -> list[dict[str, Any]]:
    """What the region signed of a session."""
    url = f"{world.edges[region]}/v1/sessions/{session_id}/receipt?tenant=demo-clinic"
    headers = {"Authorization": f"Bearer {world.secrets[region]}"}
    found: list[dict[str, Any]] = []

    async def signed_by_now() -> bool:
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            body = await answer.json()
        texts = body.get("receipts", [])
        found[:] = [jwt.decode(text, options={"verify_signature": False}) for text in texts]
        return bool(found)

    await until(signed_by_now)
    return found


@pytest.fixture
async def europe(tmp_path: Path) -> AsyncIterator[World]:
    async with breakable_demo(tmp_path / "data", workers=1, regions=(DE, IE)) as world:
        yield world


def carried(report: CallReport) -> list[tuple[str | None, str]]:
    return [(each.carried_from, each.to_node) for each in report.reconnects]


async def test_a_booking_goes_on_in_the_sibling_region_with_all_that_was_said(
    europe: World,
) -> None:
    async with doomed(europe, DE) as kill:
        report = await called(europe, once(AgentSaid, "book it", kill))
    assert report.exit_status == 0, report.why
    assert carried(report) == [(DE, f"{IE}-a")]
    assert report.region == IE
    assert [tool.ok for tool in report.tools] == [True]
    legs = [record for record in report.records if isinstance(record, Connected)]
    assert [leg.session_id for leg in legs] == [report.session_id] * 2
    assert len(await europe.appointments(IE)) == 1, "booked where the conversation went on"
    assert await europe.appointments(DE) == []
    (row,) = await europe.appointments(IE)
    assert row["name"] == "Kerr", "the slots of the lost region"
    (receipt,) = await receipts(europe, IE, report.session_id)
    assert (receipt["carried"]["region"], receipt["leg"]) == (DE, 1)
    lines = {(line["kind"], line["region"]) for line in receipt["lines"]}
    assert ("replica", DE) in lines, "from here on it is carried for the region that was lost"


async def test_what_the_lost_region_had_booked_is_not_booked_again(europe: World) -> None:
    async with doomed(europe, DE) as kill:
        report = await called(europe, once(Tool, "reference", kill))
    assert report.exit_status == 0, report.why
    assert carried(report) == [(DE, f"{IE}-a")]
    assert len(await europe.appointments(DE)) == 1
    assert await europe.appointments(IE) == []


async def test_without_a_replica_key_the_caller_is_told_to_call_anew(europe: World) -> None:
    async with doomed(europe, DE) as kill:
        sign(europe, replica_keys={})
        await in_force(europe, 2, DE, IE)
        report = await called(europe, once(AgentSaid, "book it", kill))
    assert (report.end_reason, report.exit_status) == ("lost", 4)
    assert report.reconnects == ()
    notes = [record.text for record in report.records if isinstance(record, Note)]
    assert notes[-1] == "the conversation cannot go on anywhere: call anew"
    assert await europe.appointments(IE) == []


async def test_a_region_that_may_not_have_the_call_any_more_sends_it_on(europe: World) -> None:
    def deny() -> None:
        sign(europe, contracts={"demo-clinic": TenantPolicy(deny=(DE,))})

    report = await called(europe, once(AgentSaid, "How can I help", deny))
    assert report.exit_status == 0, report.why
    assert carried(report) == [(DE, f"{IE}-a")]
    booked = [*await europe.appointments(DE), *await europe.appointments(IE)]
    assert len(booked) == 1, "whenever the law came into force"
    placed = [record for record in report.records if isinstance(record, Placed)]
    assert DE not in [each["region"] for each in placed[-1].candidates]


async def test_an_indian_callers_conversation_goes_to_no_other_law(tmp_path: Path) -> None:
    async with (
        breakable_demo(tmp_path / "data", workers=1, regions=(DE, IN)) as world,
        doomed(world, IN) as kill,
    ):
        report = await called(world, once(AgentSaid, "book it", kill), country="IN")
        assert (report.end_reason, report.exit_status) == ("lost", 4)
        assert report.reconnects == ()
        assert await world.metric(DE, "inland_calls_total") == 0
        assert await world.metric(DE, "inland_refusals_total") == 0, "it was not even asked"
        assert not any(
            event["type"] == "inland.replica" and event["parts"] for event in report.events
        ), "no region of the demo may have a replica of it, so there is none"
