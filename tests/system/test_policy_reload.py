"""A tightened law reaches calls that are under way, and only the operator's newest word is law."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client.parser import text_string_to_metric_families

from control_plane.tokens import load_or_create_key
from edge.session.receipt import check_chain
from inland.caller.errors import CallerError
from inland.caller.network import HttpNetwork
from inland.receipt.files import read_key_set
from regions.bundle import Body, sign, verify
from regions.models import TenantPolicy
from regions.policy_keys import policy_key_text
from tests.fakes.policy import forged
from tests.system.line import Exchange, Line, exchange
from tests.system.phone import Caller, desk_phone
from tests.system.test_region_lost import placed_in
from tests.system.test_sibling_node import Sibling, sibling
from tests.system.world import END_SECONDS, READY_SECONDS, World, breakable_demo, until

pytestmark = pytest.mark.system

EU = "eu-central-1"
LAW_SECONDS = 60.0
"""Within this a call that the law excludes is over."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who signs, and where the control plane looks."""

    key: Ed25519PrivateKey
    bundle: Path

    @classmethod
    def of(cls, world: World) -> Operator:
        return cls(load_or_create_key(world.data / "policy.key"), world.data / "policy.bundle")

    @property
    def public(self) -> str:
        return policy_key_text(self.key.public_key())

    def latest(self) -> Body:
        return verify(self.bundle.read_bytes(), [self.key.public_key()])

    def signed(self, serial: int, **contracts: TenantPolicy) -> bytes:
        """Bundle ``serial``, with these contracts changed."""
        named = {name.replace("_", "-"): policy for name, policy in contracts.items()}
        latest = self.latest()
        changed = latest.model_copy(
            update={
                "serial": serial,
                "issued_at": int(time.time()),
                "contracts": {**latest.contracts, **named},
            }
        )
        return sign(changed, self.key)

    def publish(self, **contracts: TenantPolicy) -> int:
        """Put the next bundle in place; its serial."""
        serial = self.latest().serial + 1
        put(self.bundle, self.signed(serial, **contracts))
        return serial


def put(path: Path, bundle: bytes) -> None:
    """As an operator does: whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_bytes(bundle)
    draft.replace(path)


NOTICE_FRAMES = 150
"""The notice takes longer than these audible frames of 20 ms."""
NOT_HERE = TenantPolicy(deny=(EU,))


async def bank_call(callers: Exchange) -> Line:
    """A call to the demo's other tenant."""
    network = HttpNetwork(callers.http, callers.world.control_plane, "sk_demo_bank_local_only")
    route = await network.route("bank-callback", "DE")
    return await callers.dial(route.candidates[0].url, route.token)


async def asked(callers: Exchange, url: str) -> Mapping[str, Any]:
    """What ``/readyz`` says; nothing while the node does not listen."""
    with suppress(aiohttp.ClientError):
        async with callers.http.get(f"{url}/readyz") as answer:
            found: Mapping[str, Any] = await answer.json()
            return found
    return {}


async def active_is(world: World, calls: int) -> bool:
    return await world.active(EU) == calls


async def talks(line: Line) -> None:
    """The agent still answers."""
    line.type("what are your opening hours")
    while not await line.answered():
        pass


async def test_a_tightened_contract_ends_the_calls_it_excludes_and_no_other(tmp_path: Path) -> None:
    async with (
        breakable_demo(tmp_path / "data", workers=2, regions=(EU,)) as world,
        exchange(world) as callers,
    ):
        await until(partial(placed_in, world, EU))
        clinic = await callers.call("DE")
        bank = await bank_call(callers)
        await clinic.audio()
        await bank.audio()
        began = time.monotonic()
        serial = Operator.of(world).publish(demo_bank=NOT_HERE)
        notice = await bank.event("inland.notice", seconds=LAW_SECONDS, notice="ended")
        assert "has to end" in notice["text"]
        await bank.audio()
        await bank.event("inland.call.ended", reason="policy")
        assert time.monotonic() - began < LAW_SECONDS
        await talks(clinic)
        assert (await asked(callers, world.edges[EU]))["policy_serial"] == serial
        await until(partial(active_is, world, 1))
        with pytest.raises(CallerError, match="wrong_region"):
            await callers.dial(world.edges[EU], bank.resume_token)
        with pytest.raises(CallerError, match="no_region_allowed"):
            await bank_call(callers)
        assert await ended_receipt(callers, world, bank) == ()
        assert "keys destroyed" in world.log(EU)
        assert world.faults() == []


async def ended_receipt(callers: Exchange, world: World, line: Line) -> tuple[object, ...]:
    """What its receipt says was outside of the law; it must tell that the law was tightened."""
    edge, session_id = world.edges[EU], line.session["session"]["id"]
    headers = {"Authorization": f"Bearer {world.secrets[EU]}"}
    async with callers.http.get(f"{edge}/v1/receipt-keys") as got:
        keys = read_key_set(await got.read(), edge)
    url = f"{edge}/v1/sessions/{session_id}/receipt?tenant=demo-bank"
    async with callers.http.get(url, headers=headers) as got:
        (receipt,) = check_chain((await got.json())["receipts"], keys).receipts
    (change,) = receipt.narrowed
    assert all(EU not in regions for regions in change.allowed.values())
    return receipt.outside


async def is_ready(callers: Exchange, node: Sibling) -> bool:
    return bool((await asked(callers, node.url)).get("ready"))


async def goes_by(callers: Exchange, node: Sibling, serial: int) -> bool:
    return (await asked(callers, node.url)).get("policy_serial") == serial


async def has_refused(callers: Exchange, node: Sibling, code: str) -> bool:
    return code in await refused(callers, node.url)


async def refused(callers: Exchange, url: str) -> Mapping[str, float]:
    """How many bundles a node refused, by code."""
    async with callers.http.get(f"{url}/metrics") as answer:
        text = await answer.text()
    return {
        sample.labels["code"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "inland_policy_refused_total"
    }


async def test_a_node_without_a_control_planes_bundles_takes_only_newer_ones_from_its_file(
    tmp_path: Path,
) -> None:
    """An air-gapped site: the file is all there is, and a restart goes back to nothing older."""
    async with (
        breakable_demo(tmp_path / "data", workers=1, regions=(EU,)) as world,
        exchange(world) as callers,
    ):
        operator = Operator.of(world)
        file = tmp_path / "delivered.bundle"
        put(file, operator.bundle.read_bytes())
        policy = {"keys": [operator.public], "file": str(file), "refresh_seconds": 1}
        first = operator.latest().serial
        async with sibling(world, policy=policy) as node:
            await until(partial(is_ready, callers, node), READY_SECONDS)
            await until(partial(placed_in, world, EU))
            _, token = await callers.route("DE")
            line = await callers.dial(node.url, token)
            await line.audio()
            wicked = forged(operator.signed(first + 9, demo_clinic=NOT_HERE))
            put(file, wicked)
            await until(partial(has_refused, callers, node, "bad_signature"))
            put(file, operator.signed(first + 1))
            await until(partial(goes_by, callers, node, first + 1))
            put(file, operator.bundle.read_bytes())
            await until(partial(has_refused, callers, node, "older"))
            await talks(line)
            assert not [one for one in line.events if one["type"] == "inland.call.ended"]
        async with sibling(world, policy=policy) as node:
            await until(partial(is_ready, callers, node), READY_SECONDS)
            assert await goes_by(callers, node, first + 1)
            await until(partial(has_refused, callers, node, "older"))
            assert await goes_by(callers, node, first + 1)
        (kept,) = (world.data / EU).glob("policy.bundle")
        kept.write_bytes(wicked)
        async with sibling(world, policy=policy) as node:
            assert await asyncio.wait_for(node.process.wait(), END_SECONDS) == 2
        assert (
            "put the newest signed bundle in its place"
            in (world.data / "logs" / "sibling.log").read_text()
        )


async def test_a_telephone_hears_why_and_the_node_hangs_up(tmp_path: Path) -> None:
    async with (
        breakable_demo(tmp_path / "data", workers=1, regions=(EU,)) as world,
        desk_phone() as desk,
    ):
        caller = Caller(desk.dial(world.phones[EU]))
        await caller.answered()
        await caller.agent_finished()
        before = caller.loud
        Operator.of(world).publish(demo_clinic=NOT_HERE)
        async with asyncio.timeout(LAW_SECONDS):
            ended = await caller.line.over()
        assert ended.cause == "remote_bye"
        assert caller.loud - before > NOTICE_FRAMES
        assert '"state": "ended"' in world.log(EU)
        assert world.faults() == []
