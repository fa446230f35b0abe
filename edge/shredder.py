"""Destroys the keys of sessions that a region may not keep any more."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from edge.session.errors import SessionError

TRY_SECONDS = 5.0
"""What one session's keys may take."""

log = logging.getLogger(__name__)


class Vault(Protocol):
    """What a shredder needs of the vault (:class:`edge.session.vault.KeyVault`)."""

    async def destroy(self, tenant: str, session_id: str) -> int: ...


class Shredder:
    """Tries again what the vault could not do: :meth:`settle` belongs in a loop.

    What is owed is lost with the process; the session is over by then, and its keys go with its
    retention.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._owed: dict[tuple[str, str], None] = {}

    @property
    def owed(self) -> int:
        """Sessions whose keys are there yet."""
        return len(self._owed)

    async def destroy(self, tenant: str, session_id: str) -> None:
        """Destroy a session's keys, now or as soon as the vault answers. Raises nothing but
        ``CancelledError``."""
        self._owed[tenant, session_id] = None
        await self._try(tenant, session_id)

    async def settle(self) -> None:
        """Try once more what is owed."""
        for tenant, session_id in list(self._owed):
            await self._try(tenant, session_id)

    async def _try(self, tenant: str, session_id: str) -> None:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await self._vault.destroy(tenant, session_id)
        except (SessionError, TimeoutError) as error:
            reason = type(error).__name__
            log.error("keys not destroyed yet", extra={"session": session_id, "reason": reason})
        else:
            self._owed.pop((tenant, session_id), None)
            log.info("keys destroyed", extra={"session": session_id})
