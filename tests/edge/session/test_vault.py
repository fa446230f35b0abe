"""A key in the vault is found by its session and class alone, and when destroyed it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from edge.session.errors import StoreBroken, TenantRefused
from edge.session.schema import connect
from edge.session.vault import KeyVault
from edge.session.vault_redis import RedisVault
from edge.session.vault_sqlite import SqliteVault
from regions.models import DataClass
from regions.tag import ResidencyTag
from tests.edge.session.parts import EU, NOW, OTHER, SESSION, ManualClock, tag_for
from tests.edge.session.redis_server import RedisServer, redis_server

OpenVault = Callable[[], Awaitable[KeyVault]]
"""Opens one more connection to the same vault, as another process would."""
HANDLE, ANOTHER = b"h" * 16, b"i" * 16
WRAPPED = b"wrapped-key-7" * 4


def tag(session_id: str = SESSION, tenant: str = "clinic", **change: object) -> ResidencyTag:
    return tag_for(session_id).model_copy(update={"tenant": tenant, **change})


class KeyVaultContract:
    """Subclasses provide a fixture ``open_vault``."""

    async def test_a_key_is_read_back_by_another_process(self, open_vault: OpenVault) -> None:
        await (await open_vault()).put(tag(), HANDLE, WRAPPED)
        assert await (await open_vault()).get(tag(), HANDLE) == WRAPPED

    async def test_a_key_is_found_under_its_own_session_class_and_tenant_alone(
        self, open_vault: OpenVault
    ) -> None:
        vault = await open_vault()
        await vault.put(tag(), HANDLE, WRAPPED)
        for wrong in (
            tag(OTHER),
            tag(tenant="bank"),
            tag().for_class(DataClass.VARIABLES),
        ):
            assert await vault.get(wrong, HANDLE) is None
        assert await vault.get(tag(), ANOTHER) is None

    async def test_keeping_a_key_twice_is_a_no_op(self, open_vault: OpenVault) -> None:
        vault = await open_vault()
        for _ in range(2):
            await vault.put(tag(), HANDLE, WRAPPED)
        assert await vault.get(tag(), HANDLE) == WRAPPED
        assert await vault.destroy("clinic", SESSION) == 1

    async def test_destroying_takes_every_key_of_the_session_and_no_other(
        self, open_vault: OpenVault
    ) -> None:
        vault, operator = await open_vault(), await open_vault()
        variables = tag().for_class(DataClass.VARIABLES)
        await vault.put(tag(), HANDLE, WRAPPED)
        await vault.put(variables, ANOTHER, WRAPPED)
        await vault.put(tag(OTHER), HANDLE, WRAPPED)
        await vault.put(tag(tenant="bank"), HANDLE, WRAPPED)
        assert await operator.destroy("clinic", SESSION) == 2
        assert await vault.get(tag(), HANDLE) is None
        assert await vault.get(variables, ANOTHER) is None
        assert await vault.get(tag(OTHER), HANDLE) == WRAPPED
        assert await vault.get(tag(tenant="bank"), HANDLE) == WRAPPED
        assert await operator.destroy("clinic", SESSION) == 0


class TestSqliteVault(KeyVaultContract):
    @pytest.fixture
    async def open_vault(self, tmp_path: Path) -> AsyncIterator[OpenVault]:
        opened: list[SqliteVault] = []

        async def open_one() -> KeyVault:
            opened.append(await SqliteVault.open(tmp_path / "keys"))
            return opened[-1]

        yield open_one
        for vault in opened:
            await vault.close()

    async def test_a_sweep_destroys_expired_keys_and_no_others(self, open_vault: OpenVault) -> None:
        vault = await open_vault()
        brief = tag(expires_at=int(NOW) + 60)
        await vault.put(brief, HANDLE, WRAPPED)
        await vault.put(tag(), ANOTHER, WRAPPED)
        assert await vault.sweep(NOW + 59) == 0
        assert await vault.sweep(NOW + 60) == 1
        assert await vault.get(brief, HANDLE) is None
        assert await vault.get(tag(), ANOTHER) == WRAPPED

    @pytest.mark.parametrize("how", ["destroyed", "swept"])
    async def test_no_byte_of_a_destroyed_key_is_left_in_the_folder(
        self, open_vault: OpenVault, tmp_path: Path, how: str
    ) -> None:
        vault, other = await open_vault(), await open_vault()
        await vault.put(tag(), HANDLE, WRAPPED)
        await other.put(tag(OTHER, expires_at=int(NOW) + 9_999), HANDLE, b"stays" * 9)
        assert WRAPPED in contents(tmp_path / "keys")
        if how == "destroyed":
            await vault.destroy("clinic", SESSION)
        else:
            await vault.sweep(tag().expires_at)
        left = contents(tmp_path / "keys")
        assert WRAPPED not in left
        assert b"stays" in left

    async def test_the_folder_is_private_and_tells_backup_programs_to_leave_it_out(
        self, open_vault: OpenVault, tmp_path: Path
    ) -> None:
        await open_vault()
        folder = tmp_path / "keys"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "keys.sqlite").stat().st_mode & 0o777 == 0o600
        first = (folder / "CACHEDIR.TAG").read_text().splitlines()[0]
        assert first == "Signature: 8a477f597d28d172789f06886806bc55"

    async def test_processes_that_start_together_share_one_vault(self, tmp_path: Path) -> None:
        vaults = await asyncio.gather(*(SqliteVault.open(tmp_path / "keys") for _ in range(6)))
        await vaults[0].put(tag(), HANDLE, WRAPPED)
        assert [await vault.get(tag(), HANDLE) for vault in vaults] == [WRAPPED] * 6
        for vault in vaults:
            await vault.close()

    async def test_a_session_store_is_no_vault(self, tmp_path: Path) -> None:
        connect(tmp_path / "keys" / "keys.sqlite", 1.0).close()
        with pytest.raises(StoreBroken, match="another program"):
            await SqliteVault.open(tmp_path / "keys")

    async def test_a_folder_that_is_none_is_said_to_be(self, tmp_path: Path) -> None:
        (tmp_path / "keys").write_text("")
        with pytest.raises(StoreBroken, match="cannot be used"):
            await SqliteVault.open(tmp_path / "keys")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class TestRedisVault(KeyVaultContract):
    @pytest.fixture
    async def open_vault(self, server: RedisServer) -> AsyncIterator[OpenVault]:
        with server.admin() as admin:
            admin.flushall()
        opened: list[RedisVault] = []

        async def open_one() -> KeyVault:
            opened.append(RedisVault.open(server.settings(), EU, ManualClock()))
            return opened[-1]

        yield open_one
        for vault in opened:
            await vault.close()

    async def test_the_server_destroys_each_class_in_its_time(
        self, open_vault: OpenVault, server: RedisServer
    ) -> None:
        vault = await open_vault()
        variables = tag(data_class=DataClass.VARIABLES, expires_at=int(NOW) + 60)
        await vault.put(tag(), HANDLE, WRAPPED)
        await vault.put(variables, HANDLE, WRAPPED)
        prefix = f"inland:clinic:{{{SESSION}}}:key:"
        with server.admin() as admin:
            assert admin.expiretime(f"{prefix}transcript") == int(NOW) + 3600
            assert admin.expiretime(f"{prefix}variables") == int(NOW) + 60

    async def test_a_tenant_without_a_user_has_no_vault(self, open_vault: OpenVault) -> None:
        with pytest.raises(TenantRefused):
            await (await open_vault()).get(tag(tenant="bakery"), HANDLE)

    async def test_one_tenants_user_destroys_nothing_of_anothers(
        self, open_vault: OpenVault, server: RedisServer
    ) -> None:
        await (await open_vault()).put(tag(), HANDLE, WRAPPED)
        users = server.settings().users
        crossed = server.settings().model_copy(update={"users": {"clinic": users["bank"]}})
        wrong = RedisVault.open(crossed, EU, ManualClock())
        with pytest.raises(StoreBroken, match="does not let this tenant's user in"):
            await wrong.destroy("clinic", SESSION)
        with pytest.raises(StoreBroken):
            await wrong.get(tag(), HANDLE)
        await wrong.close()
        assert await (await open_vault()).get(tag(), HANDLE) == WRAPPED


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
