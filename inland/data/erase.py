"""Erases a session: its keys first, then what they opened, then asks whether that was all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.audit import Fact
from edge.recording.errors import RecordingError
from edge.recording.retention import delete_session
from edge.session.errors import SealError, UnknownSession
from edge.session.history import tag_of
from edge.session.keyring import open_ring
from edge.session.store import SessionHeader
from inland.data.recordings import again
from inland.data.site import Site, found_by, patiently


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done. ``keys`` were destroyed; ``entries``: whether there were any to delete.

    ``proven``: with what the store had of the session a moment before, nothing opens any more; None
    when the store had nothing of it by then.
    """

    session_id: str
    keys: int
    entries: bool
    proven: bool | None
    recordings: int | None = 0
    """Segments that were deleted; None when the place of recordings could not be asked."""

    @property
    def found(self) -> bool:
        """Whether there was anything of the session."""
        return self.keys > 0 or self.entries or self.recordings != 0

    @property
    def complete(self) -> bool:
        """Whether copies that were made before are unreadable, and nothing is left here."""
        return self.found and self.proven is not False and self.recordings is not None


async def erase(site: Site, tenant: str, session_id: str, *, subject: str | None = None) -> Erased:
    """Erase everything of a session but the records and receipts of its calls.

    ``subject`` is the name by which it was found, for the audit log. Doing it again is safe. Raises
    ``NotTheirs``, ``Unusable``, ``SessionError``.
    """
    header = await _header(site, tenant, session_id)
    return await destroy(site, tenant, session_id, header, found_by(subject))


async def destroy(
    site: Site, tenant: str, session_id: str, header: SessionHeader | None, why: Mapping[str, Fact]
) -> Erased:
    """As :func:`erase`, for who knows whose session it is, and what the store has of it.

    What was ordered, and ``why``, is in the audit log before anything is done, and what came of it
    after. Raises ``Unusable``, ``SessionError``.
    """
    store = site.stores.of(tenant)
    facts: dict[str, Fact] = {"tenant": tenant, "session": session_id, **why}
    await site.note("erasure_ordered", **facts)
    keys = await patiently(lambda: site.keys.vault.destroy(tenant, session_id))
    entries = await patiently(lambda: store.erase(session_id))
    proven = None if header is None else await _is_closed(site, session_id, header)
    recordings = await _delete_recordings(site, tenant, session_id)
    done = Erased(session_id, keys, entries, proven, recordings)
    await site.note(
        "session_erased",
        **facts,
        keys=keys,
        entries=entries,
        recordings=recordings or 0,
        complete=done.complete,
    )
    return done


async def _delete_recordings(site: Site, tenant: str, session_id: str) -> int | None:
    archive = site.recordings
    if archive is None:
        return 0
    try:
        return await again(lambda: delete_session(archive, tenant, session_id))
    except RecordingError:  # their key is destroyed by now; what is left is deleted in its time
        return None


async def _header(site: Site, tenant: str, session_id: str) -> SessionHeader | None:
    store = site.stores.of(tenant)
    try:
        header = await patiently(lambda: store.header(session_id, site.clock.wall()))
    except UnknownSession:  # expired, or lost; its keys may be there all the same
        return None
    site.require_own(header, session_id, tenant)
    return header


async def _is_closed(site: Site, session_id: str, header: SessionHeader) -> bool:
    """Whether the keys that a copy of the store has open nothing."""
    tag = tag_of(header, session_id)
    region = site.settings.region
    wrapped = header.wraps.get(region)
    if wrapped is None:
        return True
    try:
        opened = await patiently(
            lambda: open_ring(
                site.keys.provider, wrapped, region=region, tag=tag, now=site.clock.wall()
            )
        )
    except SealError:
        return True
    return not opened.keys
