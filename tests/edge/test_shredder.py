"""Keys that may not be kept are destroyed, now or as soon as that is possible."""

from __future__ import annotations

import asyncio

import pytest

from edge.session.errors import StoreBroken, StoreBusy
from edge.shredder import Shredder


class FakeVault:
    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.hangs = False
        self.destroyed: list[tuple[str, str]] = []

    async def destroy(self, tenant: str, session_id: str) -> int:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails.pop(0)
        self.destroyed.append((tenant, session_id))
        return 2


async def test_keys_are_destroyed_when_it_returns() -> None:
    vault = FakeVault()
    shredder = Shredder(vault)
    await shredder.destroy("clinic", "s_1")
    assert vault.destroyed == [("clinic", "s_1")]
    assert shredder.owed == 0


@pytest.mark.parametrize("error", [StoreBusy("later"), StoreBroken("no")])
async def test_what_the_vault_could_not_do_is_tried_again(error: Exception) -> None:
    vault = FakeVault()
    vault.fails = [error, error]
    shredder = Shredder(vault)
    await shredder.destroy("clinic", "s_1")
    await shredder.destroy("clinic", "s_2")
    assert (vault.destroyed, shredder.owed) == ([], 2)
    await shredder.settle()
    assert vault.destroyed == [("clinic", "s_1"), ("clinic", "s_2")]
    assert shredder.owed == 0


async def test_a_vault_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.shredder.TRY_SECONDS", 0.01)
    vault = FakeVault()
    vault.hangs = True
    shredder = Shredder(vault)
    async with asyncio.timeout(60):
        await shredder.destroy("clinic", "s_1")
    assert shredder.owed == 1
    vault.hangs = False
    await shredder.settle()
    assert shredder.owed == 0


async def test_what_is_cut_off_is_owed() -> None:
    vault = FakeVault()
    vault.hangs = True
    shredder = Shredder(vault)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await shredder.destroy("clinic", "s_1")
    assert shredder.owed == 1
