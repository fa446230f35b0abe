"""With sentinels a region's Redis fails over, and no turn that was told committed is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.patience import COMMIT_PAUSES, PatientJournal
from edge.session.errors import StaleOwner, StoreBroken, StoreBusy
from edge.session.keys import LocalKeyFile
from edge.session.redis_stores import RedisStores
from edge.session.store import Fence, SessionStore
from edge.session.vault import KeyVault
from edge.session.vault_redis import RedisVault
from tests.edge.session.entries import OpenStore, sealed, session
from tests.edge.session.parts import EU, NOW, SESSION, ManualClock, begin, key_file, take_over, turn
from tests.edge.session.sentinel_site import NEVER_MS, PATIENCE, SentinelSite, sentinel_site
from tests.edge.session.store_contract import SessionStoreContract
from tests.edge.session.test_vault import HANDLE, WRAPPED, KeyVaultContract, OpenVault, tag
from tests.edge.transport.sip.net.certificates import Authority

WRITER = """
import asyncio, sys
from edge.clock import SystemClock
from edge.session.errors import StoreBusy
from edge.session.redis_settings import RedisSettings
from edge.session.redis_stores import RedisStores
from edge.session.store import Fence, SealedTurn
from tests.edge.session.redis_server import unhurried

async def main():
    settings = RedisSettings.model_validate_json(sys.argv[1])
    store = RedisStores.open(settings, "eu-central-1", SystemClock()).of("clinic")
    fence = Fence(sys.argv[2], 1, "a")
    number = 1
    while True:
        try:
            await store.commit(fence, SealedTurn(number, b"d", b"turn%d" % number, b"state"))
        except StoreBusy:
            print("busy", flush=True)
            await asyncio.sleep(0.02)
            continue
        print(number, flush=True)
        number += 1

with unhurried():
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def site() -> Iterator[SentinelSite]:
    """One of which nobody fails."""
    with sentinel_site(down_ms=NEVER_MS) as site:
        yield site


@pytest.fixture
def failing() -> Iterator[SentinelSite]:
    """One that is a test's alone: to have a lost server back takes the sentinels ten seconds."""
    with sentinel_site() as site:
        yield site


@pytest.fixture
async def stores(site: SentinelSite) -> AsyncIterator[RedisStores]:
    site.empty()
    stores = RedisStores.open(site.settings(), EU, ManualClock())
    yield stores
    await stores.close()


@pytest.fixture
def store(stores: RedisStores) -> SessionStore:
    return stores.of("clinic")


@pytest.fixture
def keys(tmp_path: Path) -> LocalKeyFile:
    return key_file(tmp_path)


class TestSentinelStore(SessionStoreContract):
    @pytest.fixture
    async def open_store(self, site: SentinelSite) -> AsyncIterator[OpenStore]:
        site.empty()
        opened: list[RedisStores] = []

        async def open_one() -> SessionStore:
            opened.append(RedisStores.open(site.settings(), EU, ManualClock()))
            return opened[-1].of("clinic")

        yield open_one
        for stores in opened:
            await stores.close()


class TestSentinelVault(KeyVaultContract):
    @pytest.fixture
    async def open_vault(self, site: SentinelSite) -> AsyncIterator[OpenVault]:
        site.empty()
        opened: list[RedisVault] = []

        async def open_one() -> KeyVault:
            opened.append(RedisVault.open(site.settings(), EU, ManualClock()))
            return opened[-1]

        yield open_one
        for vault in opened:
            await vault.close()


# --- what an answer promises ----------------------------------------------------------------------


async def test_nothing_is_acknowledged_that_no_replica_has(
    site: SentinelSite, stores: RedisStores, store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await store.create(session(), "a")
    primary = site.primary()
    with (
        site.asleep(*(one for one in site.servers if one is not primary)),
        monkeypatch.context() as patch,
    ):
        patch.setattr("edge.session.redis_tenants.COPY_MS", 500)
        with pytest.raises(StoreBusy, match="no replica"):
            await store.commit(fence, sealed(1))
        assert await stores.problem() == "no replica of the session store follows its primary"
        # The first try is on the primary; its repeat writes nothing, and still has no replica.
        with pytest.raises(StoreBusy):
            await store.commit(fence, sealed(1))
        with site.admin(primary) as admin:
            assert admin.hget(f"inland:clinic:{{{SESSION}}}:journal", "turns") == b"1"
    await store.commit(fence, sealed(1))
    assert await stores.problem() is None


async def test_a_turn_that_was_told_committed_is_on_a_replica(
    site: SentinelSite, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    primary = site.primary()
    for number in range(1, 30):
        await store.commit(fence, sealed(number))
        replicas = [one for one in site.servers if one is not primary]
        kept = []
        for one in replicas:
            with site.admin(one) as admin:
                kept.append(admin.hget(f"inland:clinic:{{{SESSION}}}:journal", "turns"))
        assert str(number).encode() in kept


# --- failing over ---------------------------------------------------------------------------------


async def test_a_journal_goes_on_through_a_killed_primary_and_loses_no_turn(
    failing: SentinelSite, keys: LocalKeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long a failover takes here is up to the machine.
    monkeypatch.setattr("edge.patience.COMMIT_PAUSES", COMMIT_PAUSES * 10)
    monkeypatch.setattr("edge.patience.LONGEST_SECONDS", PATIENCE)
    stores = RedisStores.open(failing.settings(), EU, ManualClock())
    store = stores.of("clinic")
    journal = await begin(store, keys)
    patient = PatientJournal(journal)
    for number in range(1, 6):
        await patient.commit(turn(number), {"step": number})
    former = failing.primary()
    former.kill()
    # Nobody waits for the failover but the journal itself.
    for number in range(6, 12):
        await patient.commit(turn(number), {"step": number})
    assert failing.primary() is not former
    assert await stores.problem() is None
    successor, history = await take_over(store, keys)
    assert [one.number for one in history.turns] == list(range(1, 12))
    assert history.state == {"step": 11}
    with pytest.raises(StaleOwner):
        await patient.commit(turn(12), {})
    await successor.commit(turn(12), {})
    await stores.close()


async def test_a_writer_at_full_speed_loses_nothing_it_was_told(failing: SentinelSite) -> None:
    stores = RedisStores.open(failing.settings(), EU, ManualClock())
    store = stores.of("clinic")
    await store.create(session(), "a")
    given = failing.settings().model_dump_json()
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, given, SESSION, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    told, busy = 0, 0
    former = failing.primary()
    try:
        while told < 100:
            told = int(await writer.stdout.readline())
        former.kill()
        seen = told
        while told < seen + 100 or not busy:
            line = (await writer.stdout.readline()).strip()
            if line == b"busy":
                busy += 1
            else:
                assert int(line) == told + 1
                told += 1
        writer.kill()
        rest = [line for line in (await writer.stdout.read()).split() if line != b"busy"]
        told += len(rest)
        _, stored = await store.take(SESSION, "b", NOW)
        assert len(stored.turns) in (told, told + 1), "one may be committed and not told"
        assert stored.turns == tuple(b"turn%d" % n for n in range(1, len(stored.turns) + 1))
    finally:
        if writer.returncode is None:
            writer.kill()
        await writer.wait()
        await stores.close()


async def test_a_deposed_primary_that_wakes_up_acknowledges_nothing(
    failing: SentinelSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections are still open, and it does not know yet that it was deposed."""
    stores = RedisStores.open(failing.settings(), EU, ManualClock())
    store = stores.of("clinic")
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    former = failing.primary()
    with failing.asleep(former):
        await asyncio.to_thread(failing.wait_for_another, former)
        other = RedisStores.open(failing.settings(), EU, ManualClock())
        taken, stored = await other.of("clinic").take(SESSION, "b", NOW)
        assert (taken.epoch, stored.turns) == (2, (b"turn1",))
    with monkeypatch.context() as patch, pytest.raises(StoreBusy):
        patch.setattr("edge.session.redis_tenants.COPY_MS", 500)
        await store.commit(fence, sealed(2, body=b"lost"))
    await other.of("clinic").commit(taken, sealed(2))
    with pytest.raises(StaleOwner):
        await store.commit(fence, sealed(2, body=b"lost"))
    _, stored = await store.take(SESSION, "c", NOW)
    assert stored.turns == (b"turn1", b"turn2")
    await other.close()
    await stores.close()


async def test_a_vault_keeps_its_keys_through_a_failover(failing: SentinelSite) -> None:
    vault = RedisVault.open(failing.settings(), EU, ManualClock())
    await vault.put(tag(), HANDLE, WRAPPED)
    former = failing.primary()
    former.kill()
    with contextlib.suppress(StoreBusy):  # unless that is over already
        await vault.get(tag(), HANDLE)
    await asyncio.to_thread(failing.wait_for_another, former)
    assert await vault.get(tag(), HANDLE) == WRAPPED
    assert await vault.destroy("clinic", SESSION) == 1
    assert await vault.get(tag(), HANDLE) is None
    assert failing.denied() == [], "the printed rights are enough for everybody"
    await vault.close()


# --- asking the sentinels -------------------------------------------------------------------------


async def test_sentinels_that_are_gone_or_hang_are_passed_over(
    site: SentinelSite, stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.session.redis_sentinel.ASK_SECONDS", 2.0)
    hanging, *_ = site.sentinels
    with site.asleep(hanging):
        fresh = RedisStores.open(site.settings(), EU, ManualClock())
        assert await fresh.problem() is None
        await fresh.close()
    with site.asleep(*site.sentinels):
        fresh = RedisStores.open(site.settings(), EU, ManualClock())
        assert await fresh.problem() == "the session store cannot be reached, or is not ready"
        await fresh.close()
    assert await stores.problem() is None


async def test_a_primary_that_the_settings_do_not_list_is_not_spoken_to(site: SentinelSite) -> None:
    site.empty()
    primary = site.primary()
    others = [f"redis://127.0.0.1:{one.port}" for one in site.servers if one is not primary]
    stores = RedisStores.open(site.settings(nodes=others), EU, ManualClock())
    with pytest.raises(StoreBroken, match="does not list"):
        await stores.of("clinic").create(session(), "a")
    assert await stores.problem() == "the sentinels name a server that store.nodes does not list"
    await stores.close()


async def test_a_master_that_the_sentinels_do_not_know_is_not_there(site: SentinelSite) -> None:
    stores = RedisStores.open(site.settings(master="another"), EU, ManualClock())
    with pytest.raises(StoreBusy):
        await stores.of("clinic").header(SESSION, NOW)
    await stores.close()


async def test_sentinels_that_refuse_the_node_are_told_from_ones_that_are_away(
    site: SentinelSite, tmp_path: Path
) -> None:
    path = tmp_path / "wrong"
    path.write_text("wrong")
    for user in (None, {"username": "inland_node", "password_file": path}):
        stores = RedisStores.open(site.settings(sentinel_user=user), EU, ManualClock())
        with pytest.raises(StoreBroken, match=r"do not let store\.sentinel_user ask"):
            await stores.of("clinic").header(SESSION, NOW)
        await stores.close()


async def test_a_step_with_a_foreign_login_is_refused_here_too(site: SentinelSite) -> None:
    users = site.settings().users
    crossed = site.settings(users={"clinic": users["bank"].model_dump()})
    stores = RedisStores.open(crossed, EU, ManualClock())
    with pytest.raises(StoreBroken, match="does not let this tenant's user in"):
        await stores.of("clinic").commit(Fence(SESSION, 1, "a"), sealed(1))
    await stores.close()


async def test_sentinels_and_servers_are_spoken_to_over_tls_alone(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    with sentinel_site(authority) as site:
        stores = RedisStores.open(site.settings(), EU, ManualClock())
        fence = await stores.of("clinic").create(session(), "a")
        former = site.primary()
        former.kill()
        await asyncio.to_thread(site.wait_for_another, former)
        await stores.of("clinic").commit(fence, sealed(1))
        await stores.close()
        wrong = RedisStores.open(site.settings(ca=stranger.path), EU, ManualClock())
        with pytest.raises(StoreBroken, match="certificate is not valid"):
            await wrong.of("clinic").commit(fence, sealed(1))
        await wrong.close()
