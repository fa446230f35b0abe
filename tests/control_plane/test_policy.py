"""The bundle over a replica's life: at the start, when a new one is put in place, over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from control_plane import policy_watch
from control_plane.app import assemble
from control_plane.contract import POLICY_GRACE_SECONDS, POLICY_PATH, Problem, State
from control_plane.errors import PolicyError
from control_plane.policy_state import PolicyState
from control_plane.server import serve
from regions.law import Law
from regions.models import TenantPolicy
from tests.control_plane.bundles import NO_GERMANY, OTHER, bundle, changed, policy, put, without
from tests.control_plane.helpers import (
    CATALOGUE,
    CLINIC,
    DEMO_TENANTS,
    OPERATOR,
    POLICY,
    heartbeat,
    node_secret,
    post_beat,
    post_route,
    serving,
    settings,
)
from tests.fakes.clock import FakeClock

GERMAN = {"agent": "clinic-reception", "country": "DE"}
NODE = {"Authorization": f"Bearer {node_secret('eu-central-1')}"}
BOSS = {"Authorization": f"Bearer {OPERATOR}"}


def law(contracts: dict[str, TenantPolicy], serial: int) -> Law:
    return Law(CATALOGUE, contracts, serial=serial)


async def state(client: aiohttp.ClientSession) -> State:
    async with client.get("/v1/state", headers=BOSS) as answer:
        return State.model_validate_json(await answer.read())


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():
            pass


async def counted(client: aiohttp.ClientSession, outcome: str) -> None:
    """Wait until a bundle came to ``outcome``."""
    line = f'inland_control_policies_total{{outcome="{outcome}"}}'

    async def found() -> bool:
        async with client.get("/metrics", headers=BOSS) as answer:
            return line in await answer.text()

    await until(found)


async def in_force(client: aiohttp.ClientSession, serial: int) -> None:
    async def found() -> bool:
        return (await state(client)).serial == serial

    await until(found)


async def allowed(client: aiohttp.ClientSession) -> set[str]:
    """Where a German caller of the clinic may be."""
    _, body = await post_route(client, GERMAN)
    return {verdict["region"] for verdict in body["regions"] if verdict["allowed"]}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (bundle(key=OTHER), "unknown_key"),
        (b"{}", "malformed"),
        (bundle(3), r"older.*number 3, and 4 was in force.*number 5"),
        (bundle(4, NO_GERMANY), "conflicting"),
    ],
)
async def test_a_replica_does_not_start_with_a_bundle_that_is_not_the_operators_or_not_the_last(
    tmp_path: Path, raw: bytes, words: str
) -> None:
    async with serving(settings(tmp_path, **policy(tmp_path, bundle(4)))):
        pass
    with pytest.raises(PolicyError, match=words):
        await serve(settings(tmp_path, **policy(tmp_path, raw)), asyncio.Event())


async def test_a_replica_does_not_start_without_its_bundle_or_its_memory(tmp_path: Path) -> None:
    wanted = settings(tmp_path, **policy(tmp_path))
    (tmp_path / "policy.bundle").unlink()
    with pytest.raises(PolicyError, match=r"unreadable.*policy\.bundle"):
        await serve(wanted, asyncio.Event())
    put(tmp_path, bundle())
    (tmp_path / "policy.state").mkdir()
    with pytest.raises(PolicyError, match=r"policy\.state"):
        await serve(wanted, asyncio.Event())


async def test_a_start_that_fails_for_another_reason_does_not_use_the_serial_up(
    tmp_path: Path,
) -> None:
    wanted = settings(tmp_path, tenants=tmp_path / "none.yaml", **policy(tmp_path, bundle(9)))
    with pytest.raises(Exception, match=r"none\.yaml"):
        await serve(wanted, asyncio.Event())
    assert PolicyState(tmp_path / "policy.state").recall() is None


async def test_nodes_get_the_bytes_that_were_signed_and_304_while_they_have_them(
    tmp_path: Path,
) -> None:
    raw = bundle(3, NO_GERMANY)
    async with serving(settings(tmp_path, **policy(tmp_path, raw))) as client:
        for headers in (NODE, BOSS):
            async with client.get(POLICY_PATH, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (200, raw)
                tag = answer.headers["ETag"]
        assert tag.startswith('"')
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            headers = {**NODE, "If-None-Match": known}
            async with client.get(POLICY_PATH, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
                assert answer.headers["ETag"] == tag
        for known in ('"other"', "gibberish", ""):
            headers = {**NODE, "If-None-Match": known}
            async with client.get(POLICY_PATH, headers=headers) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("headers", [{}, CLINIC, {"Authorization": "Bearer guess"}])
async def test_a_list_of_customers_is_not_for_everybody(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with (
        serving(settings(tmp_path, **policy(tmp_path))) as client,
        client.get(POLICY_PATH, headers=headers) as answer,
    ):
        assert answer.status == 401
        assert Problem.model_validate_json(await answer.read()).code == "unknown_key"


async def test_a_control_plane_without_a_bundle_is_as_it_was(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        assert await post_beat(client) == 204
        async with client.get(POLICY_PATH, headers=NODE) as answer:
            assert answer.status == 404
            assert Problem.model_validate_json(await answer.read()).code == "no_policy"
        found = await state(client)
    assert (found.policy, found.serial) == (POLICY, None)


async def test_a_tightened_bundle_is_in_force_as_soon_as_it_is_asked_for(tmp_path: Path) -> None:
    reload = asyncio.Event()
    wanted = settings(tmp_path, **policy(tmp_path, bundle(1)))
    async with serving(wanted, reload=reload) as client:
        for region in ("eu-central-1", "eu-west-1"):
            await post_beat(client, region)
        assert "eu-central-1" in await allowed(client)
        put(tmp_path, bundle(2, NO_GERMANY))
        reload.set()
        await in_force(client, 2)
        assert "eu-central-1" not in await allowed(client)
        _, body = await post_route(client, GERMAN)
        async with client.get("/metrics", headers=BOSS) as answer:
            assert "inland_control_policy_serial 2.0" in await answer.text()
    claims = jwt.decode(body["token"], options={"verify_signature": False})
    assert (claims["pol"], claims["ser"]) == (law(NO_GERMANY, 2).policy, 2)
    assert "eu-central-1" not in claims["reg"]["audio"]


async def test_a_file_that_is_written_is_found_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_watch, "POLL_SECONDS", 0.01)
    async with serving(settings(tmp_path, **policy(tmp_path, bundle(1)))) as client:
        put(tmp_path, bundle(2))
        await in_force(client, 2)
        (tmp_path / "policy.bundle").unlink()
        await counted(client, "unreadable")
        put(tmp_path, bundle(3))
        await in_force(client, 3)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", "malformed"),
        (bundle(9, key=OTHER), "unknown_key"),
        (bundle(9)[:-30] + b"AAAA" + bundle(9)[-26:], "bad_signature"),
        (bundle(4), "older"),
        (bundle(5), "conflicting"),
        (bundle(9, catalogue=without("eu-central-1")), "incompatible"),
    ],
)
async def test_a_bad_bundle_is_logged_and_counted_and_the_one_in_force_goes_on(
    tmp_path: Path, raw: bytes, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    reload = asyncio.Event()
    first = bundle(5, NO_GERMANY)
    async with serving(settings(tmp_path, **policy(tmp_path, first)), reload=reload) as client:
        await post_beat(client, "eu-west-1")
        before = await allowed(client)
        put(tmp_path, raw)
        reload.set()
        await counted(client, code)
        assert await allowed(client) == before
        assert (await state(client)).serial == 5
        async with client.get(POLICY_PATH, headers=NODE) as answer:
            assert await answer.read() == first
        put(tmp_path, bundle(10))
        reload.set()
        await in_force(client, 10)
    refused = [r.__dict__ for r in caplog.records if r.levelno >= logging.ERROR]
    assert [record["code"] for record in refused] == [code]


async def test_an_old_bundle_is_refused_after_a_reload_and_a_restart(tmp_path: Path) -> None:
    reload = asyncio.Event()
    async with serving(settings(tmp_path, **policy(tmp_path)), reload=reload) as client:
        put(tmp_path, bundle(2, NO_GERMANY))
        reload.set()
        await in_force(client, 2)
        await until(lambda: _remembers(tmp_path, 2))
    with pytest.raises(PolicyError, match="older"):
        await serve(settings(tmp_path, **policy(tmp_path, bundle(1))), asyncio.Event())


async def _remembers(folder: Path, serial: int) -> bool:
    await asyncio.sleep(0)
    last = PolicyState(folder / "policy.state").recall()
    return last is not None and last.serial == serial


async def test_a_law_is_not_held_back_because_it_cannot_be_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reload = asyncio.Event()
    async with serving(settings(tmp_path, **policy(tmp_path)), reload=reload) as client:
        with monkeypatch.context() as full:
            full.setattr(PolicyState, "remember", _full)
            put(tmp_path, bundle(2))
            reload.set()
            await in_force(client, 2)
            await until(lambda: _logged(caplog, "policy serial not remembered"))
        reload.set()
        await until(lambda: _remembers(tmp_path, 2))


async def test_a_law_is_written_down_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assembly = assemble(settings(tmp_path, **policy(tmp_path)), FakeClock())
    assert assembly.watch is not None
    written: list[int] = []
    monkeypatch.setattr(PolicyState, "remember", lambda _, law: written.append(law.law.serial))
    put(tmp_path, bundle(2))
    for _ in range(3):
        await assembly.watch.look()
    assert written == [2]


async def test_who_asks_has_the_file_read_even_if_nobody_wrote_it(tmp_path: Path) -> None:
    assembly = assemble(settings(tmp_path, **policy(tmp_path)), FakeClock())
    assert assembly.watch is not None
    await assembly.watch.look()
    assert b'outcome="unchanged"' not in assembly.plane.metrics.render()
    await assembly.watch.look(whatever=True)
    assert b'inland_control_policies_total{outcome="unchanged"} 1.0' in (
        assembly.plane.metrics.render()
    )


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


async def _logged(caplog: pytest.LogCaptureFixture, message: str) -> bool:
    await asyncio.sleep(0)
    return message in caplog.messages


async def test_a_contract_of_nobody_is_named_and_binds_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    misspelt = {"demo-clinc": TenantPolicy(regions=()), "demo-bank": TenantPolicy()}
    async with serving(settings(tmp_path, **policy(tmp_path, bundle(1, misspelt)))) as client:
        await post_beat(client)
        assert "eu-central-1" in await allowed(client)
    assert [r.__dict__.get("tenant") for r in caplog.records if r.levelno == logging.WARNING] == [
        "demo-clinc"
    ]


async def test_a_beat_tells_a_node_which_bundle_to_have(tmp_path: Path) -> None:
    wanted = settings(tmp_path, **policy(tmp_path, bundle(7)))
    async with (
        serving(wanted) as client,
        client.post(
            "/v1/nodes/eu-central-1-a/beat", data=heartbeat().model_dump_json(), headers=NODE
        ) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"policy": 7})


async def test_a_rollout_refuses_nobody_and_ends(tmp_path: Path) -> None:
    """A node on the bundle before, then on the new one; another that never hears of it."""
    clock, reload = FakeClock(), asyncio.Event()
    wanted = settings(tmp_path, **policy(tmp_path, bundle(1)))
    tight = {"demo-clinic": TenantPolicy(deny=("eu-west-3",))}
    old, new = law({}, 1).policy, law(tight, 2).policy
    async with serving(wanted, clock, reload) as client:

        async def candidates() -> list[str]:
            status, body = await post_route(client, GERMAN)
            return [found["node"] for found in body["candidates"]] if status == 200 else []

        async def beat(region: str, sequence: int, policy: str, serial: int) -> None:
            said: dict[str, Any] = {"sequence": sequence, "policy": policy, "serial": serial}
            assert await post_beat(client, region, **said) == 200

        for region in ("eu-central-1", "eu-west-1"):
            await beat(region, 1, old, 1)
        put(tmp_path, bundle(2, tight))
        reload.set()
        await in_force(client, 2)
        assert set(await candidates()) == {"eu-central-1-a", "eu-west-1-a"}
        clock.advance(POLICY_GRACE_SECONDS)
        await beat("eu-central-1", 2, new, 2)
        await beat("eu-west-1", 2, old, 1)
        assert await candidates() == ["eu-central-1-a"]


async def test_a_replica_that_reloads_later_than_the_other_refuses_nobody(tmp_path: Path) -> None:
    clock = FakeClock()
    tight = {"demo-clinic": TenantPolicy(deny=("eu-west-3",))}
    async with serving(settings(tmp_path, **policy(tmp_path, bundle(1))), clock) as client:
        assert await post_beat(client, policy=law({}, 1).policy, serial=1) == 200
        ahead: dict[str, Any] = {"policy": law(tight, 2).policy, "serial": 2}
        clock.advance(500)
        assert await post_beat(client, "eu-central-1", sequence=2, **ahead) == 200
        assert (await post_route(client, GERMAN))[0] == 200
        clock.advance(POLICY_GRACE_SECONDS)
        assert await post_beat(client, "eu-central-1", sequence=3, **ahead) == 200
        status, body = await post_route(client, GERMAN)
        found = await state(client)
    assert (status, body["code"]) == (503, "no_region_available")
    assert any("1 of a newer policy" in verdict["reason"] for verdict in body["regions"])
    assert [node.serial for node in found.nodes] == [2]


async def test_the_bundles_catalogue_counts_and_tenants_are_held_against_it(tmp_path: Path) -> None:
    newer = changed(version="of-the-bundle")
    async with serving(settings(tmp_path, **policy(tmp_path, bundle(1, catalogue=newer)))) as found:
        assert (await state(found)).policy == newer.policy
    folder = tmp_path / "second"
    folder.mkdir()
    smaller = bundle(1, catalogue=without("eu-central-1"))
    with pytest.raises(Exception, match=rf"{DEMO_TENANTS}.*demo-bank.*eu-central-1"):
        await serve(settings(folder, node_secrets={}, **policy(folder, smaller)), asyncio.Event())
