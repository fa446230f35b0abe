"""What a process needs of its region's keys, put together from the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.session.errors import StoreBusy
from edge.session.keys import KeyProvider, LocalKeyFile
from edge.session.keys_settings import KeysSettings
from edge.session.redis_settings import RedisSettings
from edge.session.vault import KeyVault, VaultKeys
from edge.session.vault_sqlite import SqliteVault


@dataclass(frozen=True, slots=True)
class OpenedKeys:
    """``provider`` wraps and unwraps, ``vault`` is where its wrapped keys can be destroyed."""

    provider: KeyProvider
    vault: KeyVault
    close: Callable[[], Awaitable[None]]


async def open_keys(
    file: LocalKeyFile,
    *,
    keys: KeysSettings,
    store: RedisSettings | None,
    data: Path,
    clock: Clock,
) -> OpenedKeys:
    """The keys of ``file``'s region. Raises ``StoreBroken`` and ``StoreBusy``."""
    vault = await _vault(file.region, keys, store, data, clock)
    if keys.kms is None:
        return OpenedKeys(VaultKeys(file, vault), vault, vault.close)
    # Only a node with such keys needs the client.
    from edge.session.kms import KmsKeys
    from edge.session.kms_client import AwsKms

    kms = KmsKeys(file.region, keys.kms, AwsKms.open(file.region))

    async def close() -> None:
        await vault.close()
        await kms.close()

    return OpenedKeys(VaultKeys(kms, vault), vault, close)


async def check_keys(region: str, keys: KeysSettings) -> str | None:
    """Ask the key service for every key of the settings; why it could not be asked, or None.

    Raises ``RegionRefused``, ``KeyRefused``, ``StoreBroken``.
    """
    if keys.kms is None:
        return None
    from edge.session.kms import KmsKeys
    from edge.session.kms_client import AwsKms

    kms = KmsKeys(region, keys.kms, AwsKms.open(region))
    try:
        await kms.check()
    except StoreBusy as busy:
        return str(busy)
    finally:
        await kms.close()
    return None


async def _vault(
    region: str, keys: KeysSettings, store: RedisSettings | None, data: Path, clock: Clock
) -> KeyVault:
    if store is None:
        return await SqliteVault.open(keys.folder or data / "keys")
    from edge.session.vault_redis import RedisVault

    return RedisVault.open(keys.server_of(store), region, clock)
