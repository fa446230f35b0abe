"""The session stores of a region: one per tenant, where the database keeps tenants apart."""

from __future__ import annotations

from typing import Protocol

from edge.session.store import SessionStore


class SessionStores(Protocol):
    """Hands out each tenant's store. A session is found only in the store of its own tenant."""

    def of(self, tenant: str) -> SessionStore:
        """The store of that tenant's sessions. Raises ``TenantRefused`` when there is none."""
        ...

    def each(self) -> tuple[tuple[str | None, SessionStore], ...]:
        """Every store, with the tenant whose sessions alone it has; None where it has all."""
        ...

    async def problem(self) -> str | None:
        """Why no session could be opened now, in constant words; None when nothing is wrong.

        Takes a few seconds at most.
        """
        ...

    async def sweep(self, now: float) -> int:
        """As :meth:`SessionStore.sweep`, for every tenant."""
        ...

    async def close(self) -> None:
        """Free everything after the steps under way. Idempotent."""
        ...


class OneStore:
    """One store for every tenant: a file that this machine's nodes share."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def of(self, tenant: str) -> SessionStore:
        return self._store

    def each(self) -> tuple[tuple[str | None, SessionStore], ...]:
        return ((None, self._store),)

    async def problem(self) -> str | None:
        return None  # a file that was opened stays open

    async def sweep(self, now: float) -> int:
        return await self._store.sweep(now)

    async def close(self) -> None:
        await self._store.close()
