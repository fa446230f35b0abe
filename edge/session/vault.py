"""The vault: wrapped keys are kept apart from what they open, so that they can be destroyed.

A copy of the session store, however old, holds references to keys and no keys. Whoever destroys a
key in the vault makes every such copy unreadable; that is why no backup may copy the vault itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Protocol

from edge.session.errors import KeyDestroyed
from edge.session.keys import VAULT_FORMAT, KeyProvider
from regions.tag import ResidencyTag

HANDLE_BYTES = 16


class KeyVault(Protocol):
    """Keeps wrapped keys of one region, each until its tag expires.

    Every method is one atomic step that has happened when it returns; repeats are no-ops. All may
    raise ``StoreBusy`` and ``StoreBroken``; a tenant without a place raises ``TenantRefused``.
    """

    async def put(self, tag: ResidencyTag, handle: bytes, wrapped: bytes) -> None:
        """Keep a wrapped key of the tag's session and class under ``handle``."""
        ...

    async def get(self, tag: ResidencyTag, handle: bytes) -> bytes | None:
        """The wrapped key, or None when it is not there (any more)."""
        ...

    async def destroy(self, tenant: str, session_id: str) -> int:
        """Destroy every key of the session; returns how many there were.

        When it returns nothing of them is left in the vault's files, as far as the vault itself can
        see to that.
        """
        ...

    async def sweep(self, now: float) -> int:
        """Destroy the keys whose tags are expired; returns how many.

        A vault that does so by itself returns 0.
        """
        ...

    async def close(self) -> None:
        """Free the vault after the steps under way. Idempotent."""
        ...


class VaultKeys:
    """A :class:`~edge.session.keys.KeyProvider` whose wrapped keys are in a vault.

    What it returns as wrapped key is a reference. Keys that were wrapped without a vault, by the
    version before, still unwrap.
    """

    def __init__(self, provider: KeyProvider, vault: KeyVault) -> None:
        self._provider = provider
        self._vault = vault

    @property
    def regions(self) -> Collection[str]:
        return self._provider.regions

    async def wrap(self, data_key: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        wrapped = await self._provider.wrap(data_key, region=region, tag=tag)
        handle = secrets.token_bytes(HANDLE_BYTES)
        await self._vault.put(tag, handle, wrapped)
        return VAULT_FORMAT + handle

    async def unwrap(self, wrapped: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        if not wrapped.startswith(VAULT_FORMAT):
            return await self._provider.unwrap(wrapped, region=region, tag=tag)
        kept = await self._vault.get(tag, wrapped[len(VAULT_FORMAT) :])
        if kept is None:
            raise KeyDestroyed(f"the key of the session's {tag.data_class.value} was destroyed")
        return await self._provider.unwrap(kept, region=region, tag=tag)
