"""A node's store, keys and audit log, opened by its operator while the node runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from edge.audit import Event, Fact
from edge.audit_log import AuditError, AuditLog, Happened
from edge.audit_trail import open_log
from edge.clock import Clock, SystemClock
from edge.recording.archive import Archive
from edge.recording.errors import RecordingError
from edge.recording.opened import open_archive
from edge.session.errors import SessionError, StoreBusy
from edge.session.history import tag_of
from edge.session.keys import LocalKeyFile
from edge.session.keys_opened import OpenedKeys, open_keys
from edge.session.store import SessionHeader
from edge.session.stores import SessionStores
from edge.session.stores_opened import open_stores
from edge.session.subjects import SUBJECT_PURPOSE, SubjectIndex
from edge.settings import NodeSettings
from inland.data.errors import NotTheirs, Unusable

OPERATOR = "operator"
"""Who the audit log says it was."""
TRIES = 5
"""Of a step whose store has no time."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """What erasing and exporting take."""

    settings: NodeSettings
    stores: SessionStores
    keys: OpenedKeys
    audit: AuditLog
    clock: Clock
    subjects: SubjectIndex
    recordings: Archive | None = None

    async def note(self, event: Event, **facts: Fact) -> None:
        """Write into the audit log; it is on the disk, with a signed head, on return.

        Raises ``Unusable``.
        """
        happened = Happened(self.clock.wall(), event, facts)
        try:
            await asyncio.to_thread(self.audit.append, [happened], sign=True)
        except AuditError as error:
            raise Unusable(f"audit: {error}") from error

    def require_own(self, header: SessionHeader, session_id: str, tenant: str) -> None:
        """Raise ``NotTheirs`` for a session of another tenant."""
        if tag_of(header, session_id).tenant != tenant:
            raise NotTheirs(f"{session_id}: is not a session of {tenant}")


@asynccontextmanager
async def open_site(settings: NodeSettings) -> AsyncIterator[Site]:
    """Open what a node with these settings has. Raises ``Unusable``."""
    data = settings.data
    _require_user(data.stat().st_uid if data.is_dir() else None, str(data))
    clock = SystemClock()
    recordings: Archive | None = None
    async with AsyncExitStack() as closing:
        try:
            file = LocalKeyFile.open(settings.key_path, settings.region, make=False)
            keys = await open_keys(
                file, keys=settings.keys, store=settings.store, data=data, clock=clock
            )
            closing.push_async_callback(keys.close)
            stores = await open_stores(
                settings.store, path=settings.store_path, region=settings.region, clock=clock
            )
            closing.push_async_callback(stores.close)
            if settings.recordings is not None:
                recordings = open_archive(settings.recordings, settings.region)
                closing.push_async_callback(recordings.close)
        except (RecordingError, SessionError) as error:
            raise Unusable(str(error)) from error
        audit = open_log(settings.audit, data, file, who=OPERATOR, clock=clock)
        subjects = SubjectIndex(file.subkey(SUBJECT_PURPOSE))
        yield Site(settings, stores, keys, audit, clock, subjects, recordings)


async def patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step of a store again while it has no time. Raises ``StoreBusy`` in the end."""
    for _ in range(TRIES - 1):
        try:
            return await step()
        except StoreBusy:
            await asyncio.sleep(0.1)
    return await step()


def found_by(subject: str | None) -> dict[str, str]:
    """What an audit entry says of how a session was found."""
    return {} if subject is None else {"subject": subject}


def _require_user(owner: int | None, data: str) -> None:
    """Files that another user makes beside a node's own, the node could not read."""
    if owner is None:
        raise Unusable(f"data: {data}: there is no such folder: name the settings of a node")
    if owner != os.geteuid():
        raise Unusable(f"data: {data}: belongs to another user: run this as the node's own")
