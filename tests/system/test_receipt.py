"""What a call's receipt says of a real call: each place that had its data, and no other."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.session.receipt import Chain, Receipt, check_chain, read_receipt
from inland.caller.errors import CallerError
from inland.receipt.files import read_key_set
from tests.system.kept import sessions
from tests.system.line import Exchange, Line, exchange
from tests.system.phone import Caller, desk_phone
from tests.system.test_conversation_survives import (
    SAID,
    asks,
    killed,
    resumed,
    until_confirmation,
)
from tests.system.test_sibling_node import sibling
from tests.system.world import HANG_SECONDS, INLAND, breakable_demo, until

pytestmark = pytest.mark.system

EU = "eu-central-1"
OF_TENANT = ("--tenant", "demo-clinic")


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Exchange]:
    """Callers of a demo of this test's own, whose secrets it knows."""
    async with (
        breakable_demo(tmp_path / "data", workers=2, regions=(EU,)) as world,
        exchange(world) as found,
    ):
        yield found


async def told(callers: Exchange, edge: str, line: Line) -> dict[str, Any]:
    """What the edge tells the caller of their session."""
    session_id = line.session["session"]["id"]
    headers = {"Authorization": f"Bearer {line.resume_token}"}
    async with callers.http.get(f"{edge}/v1/sessions/{session_id}/receipt", headers=headers) as got:
        assert got.status == 200
        found: dict[str, Any] = await got.json()
        return found


async def whole_chain(callers: Exchange, edge: str, line: Line) -> Chain:
    """The session's receipts once its call has left one, verified with the region's key."""
    call_id = line.session["inland"]["call_id"]
    found: list[str] = []
    async with callers.http.get(f"{edge}/v1/receipt-keys") as got:
        keys = read_key_set(await got.read(), edge)

    async def left() -> bool:
        found[:] = (await told(callers, edge, line))["receipts"]
        return any(read_receipt(text, keys).call_id == call_id for text in found)

    await until(left)
    return check_chain(found, keys)


def places(receipt: Receipt) -> set[tuple[str, str, str]]:
    return {(line.kind, line.name, line.region) for line in receipt.lines}


async def test_a_bookings_receipt_names_every_place_and_no_other(callers: Exchange) -> None:
    await callers.world.empty_books()
    edge, token = await callers.route("DE")
    line = await callers.dial(edge, token)
    await until_confirmation(line)
    live = (await told(callers, edge, line))["live"]
    assert live["call_id"] == line.session["inland"]["call_id"]
    assert {one["kind"] for one in live["lines"]} == {"caller", "host", "store"}
    line.type("yes")
    assert (await line.event("inland.tool.result"))["ok"]
    await asks(line, "else")
    line.type("no")
    await line.event("inland.call.ended", reason="completed")
    (receipt,) = (await whole_chain(callers, edge, line)).receipts
    assert places(receipt) == {
        ("caller", "webrtc", ""),
        ("host", receipt.node, EU),
        ("store", "sqlite", EU),
        ("tool", "book_appointment", EU),
    }
    assert (receipt.outside, receipt.refused, receipt.left_out) == ((), (), 0)
    (tool,) = (one for one in receipt.lines if one.kind == "tool")
    assert tool.endpoint == callers.world.clinics[EU]
    assert tool.sent > 0 and tool.received > 0
    audio = {one.kind: one for one in receipt.lines if one.data_class == "audio"}
    assert audio["host"].sent == audio["caller"].received
    seconds = receipt.ended - receipt.began
    assert 0.5 * seconds < audio["host"].sent / 32_000 < 1.5 * seconds, "16 kHz, 16 bit"
    text = receipt.model_dump_json().lower()
    assert not [word for word in SAID if word.lower() in text.replace("book_appointment", "")]
    assert not re.search(r'"\d{1,3}(\.\d{1,3}){3}"', text)


async def test_a_killed_node_leaves_a_gap_that_the_next_receipt_shows(
    alone: Exchange, tmp_path: Path
) -> None:
    edge, token = await alone.route("DE")
    line = await alone.dial(edge, token)
    await line.audio()
    await killed(alone.world, line)
    second = await resumed(alone, edge, line.resume_token)
    await second.audio()
    await alone.drop(second)
    await alone.idle(EU)
    third = await resumed(alone, edge, line.resume_token)
    await third.audio()
    await alone.hang_up(third)
    chain = await whole_chain(alone, edge, third)
    assert [one.leg for one in chain.receipts] == [2, 3]
    assert chain.missing == (1,)
    await the_operator_sees_the_same(alone, edge, line, tmp_path)


async def the_operator_sees_the_same(
    callers: Exchange, edge: str, line: Line, folder: Path
) -> None:
    """`inland receipt` gets it with the node secret, and calls it inside."""
    secret = folder / "secret"
    secret.write_text(callers.world.secrets[EU])
    session_id = line.session["session"]["id"]
    file = folder / "receipt.json"
    where = ("--edge", edge)
    token = ("--token-file", str(secret), "--output", str(file))
    status, _ = await inland_receipt("get", *where, *token, "--session", session_id, *OF_TENANT)
    assert status == 0
    status, said = await inland_receipt("verify", str(file), *where)
    assert "leg 1 has no receipt" in said
    assert "INSIDE   2 receipts" in said
    assert status == 0


async def inland_receipt(*words: str) -> tuple[int, str]:
    """Runs the command; its status, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *INLAND, "receipt", *words, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), HANG_SECONDS)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_phone_calls_receipt_names_the_carrier_and_no_number(alone: Exchange) -> None:
    world = alone.world
    async with desk_phone() as desk:
        caller = Caller(desk.dial(world.phones[EU]))
        await caller.answered()
        await caller.agent_finished()
        await caller.hangs_up()
    (session_id,) = sessions(world.log(EU))
    headers = {"Authorization": f"Bearer {world.secrets[EU]}"}
    url = f"{world.edges[EU]}/v1/sessions/{session_id}/receipt?tenant=demo-clinic"
    found: list[str] = []

    async def left() -> bool:
        async with alone.http.get(url, headers=headers) as got:
            found[:] = (await got.json()).get("receipts", ())
        return bool(found)

    await until(left)
    async with alone.http.get(f"{world.edges[EU]}/v1/receipt-keys") as got:
        (receipt,) = check_chain(found, read_key_set(await got.read(), "edge")).receipts
    assert places(receipt) == {
        ("carrier", "sip", ""),
        ("host", receipt.node, EU),
        ("store", "sqlite", EU),
    }
    (carrier,) = (one for one in receipt.lines if one.kind == "carrier")
    assert carrier.data_class == "audio"
    assert carrier.endpoint == "trunk:desk", "which carrier had it, by the operator's own name"
    assert carrier.sent > 16_000, "the greeting, at 8 kHz and 16 bit"
    assert not re.search(r"sip:|\+\d|127\.0\.0\.1", receipt.model_dump_json())


async def test_a_tool_in_a_region_that_the_law_excludes_is_a_refused_attempt(
    alone: Exchange, tmp_path: Path
) -> None:
    world = alone.world
    clinic = world.clinics[EU]
    operator = {"name": "The clinic's service", "country": "IN"}
    providers = written(
        tmp_path / "providers.yaml",
        {
            "providers": [
                {"id": "booking", "purposes": ["tool"], "endpoints": [clinic],
                 "region": "ap-south-1", "operator": operator, "data_classes": ["variables"]}
            ]
        },
    )  # fmt: skip
    _, token = await alone.route("DE")
    agents = str(agents_abroad(world.data, tmp_path))
    async with sibling(world, agents=agents, providers=providers) as node:
        line = await answered(alone, node.url, token)
        await until_confirmation(line)
        line.type("yes")
        assert not (await line.event("inland.tool.result"))["ok"]
        await alone.hang_up(line)
        (receipt,) = (await whole_chain(alone, node.url, line)).receipts
        assert await world.appointments(EU) == []
    assert [(one.name, one.region, one.data_class) for one in receipt.refused] == [
        ("book_appointment", "ap-south-1", "variables")
    ]
    assert receipt.refused[0].endpoint == clinic
    assert "ap-south-1" in receipt.refused[0].reason
    assert {one.kind for one in receipt.lines} == {"caller", "host", "store"}
    assert receipt.outside == ()


async def answered(callers: Exchange, url: str, token: str) -> Line:
    """A call, as soon as a node that is starting takes one."""
    found: list[Line] = []

    async def taken() -> bool:
        try:
            found.append(await callers.dial(url, token))
        except CallerError:
            return False
        return True

    await until(taken)
    return found[0]


def agents_abroad(data: Path, folder: Path) -> Path:
    """The demo's agents, with the tool that books in another region."""
    settings = yaml.safe_load((data / EU / "edge.yaml").read_text())
    agents = folder / "agents"
    agents.mkdir()
    for path in Path(settings["agents"]).glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())
        for tool in spec.get("tools", ()):
            if tool["kind"] == "http":
                tool["region"] = "ap-south-1"
        (agents / path.name).write_text(yaml.safe_dump(spec))
    return agents


def written(path: Path, value: object) -> str:
    path.write_text(yaml.safe_dump(value))
    return str(path)
