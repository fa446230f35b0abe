"""A person's sessions: looked for inside the region, by what only its key can name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from edge.session.store import MAX_FOUND
from edge.session.subjects import Subject
from inland.data.site import Site, patiently


@dataclass(frozen=True, slots=True)
class Found:
    """The sessions of a subject at one moment. ``more``: there may be others."""

    name: str
    sessions: tuple[str, ...]
    more: bool


async def find(site: Site, tenant: str, subject: Subject) -> Found:
    """Look for a person's sessions; that somebody looked is in the audit log.

    Raises ``Unusable``, ``SessionError``.
    """
    name = site.subjects.name(tenant, subject)
    sessions = await _listed(site, tenant, name)
    await site.note("subject_asked", tenant=tenant, subject=name, sessions=len(sessions))
    return Found(name, sessions, len(sessions) >= MAX_FOUND)


async def each_of(site: Site, tenant: str, found: Found) -> AsyncIterator[str]:
    """The sessions that were found, and those that a first list had no room for, or that began
    meanwhile. Whoever takes one has dealt with it when it asks for the next. Raises
    ``SessionError``.
    """
    seen: set[str] = set()
    batch = found.sessions
    while batch:
        for session_id in batch:
            seen.add(session_id)
            yield session_id
        later = await _listed(site, tenant, found.name)
        batch = tuple(each for each in later if each not in seen)


async def _listed(site: Site, tenant: str, name: str) -> tuple[str, ...]:
    store = site.stores.of(tenant)
    return await patiently(lambda: store.find(name, site.clock.wall()))
