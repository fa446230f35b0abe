"""Everything that is kept of a session, for whoever it is about."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.recording.reader import legs_of
from edge.session.errors import RegionRefused
from edge.session.history import read_state, read_tools, read_turns, tag_of
from edge.session.keyring import open_ring
from edge.session.seal import Sealer
from inland.data.errors import Unusable
from inland.data.recordings import again, export_recordings
from inland.data.site import Site, found_by, patiently
from regions.models import DataClass

FORMAT = 1


async def export(
    site: Site,
    tenant: str,
    session_id: str,
    *,
    recordings: Path | None = None,
    subject: str | None = None,
) -> dict[str, Any]:
    """The session as plain data; a live call is not disturbed.

    That it was read is in the audit log before it is returned, with ``subject``, the name by which
    it was found. A class whose retention is over is under ``missing``. Recordings are written into
    the folder ``recordings``, and without one only listed. Raises ``UnknownSession``,
    ``NotTheirs``, ``Unusable``, ``SessionError``, ``RecordingError``.
    """
    store, region = site.stores.of(tenant), site.settings.region
    now = site.clock.wall()
    stored = await patiently(lambda: store.read(session_id, now))
    site.require_own(stored.header, session_id, tenant)
    tag = tag_of(stored.header, session_id)
    wrapped = stored.header.wraps.get(region)
    if wrapped is None or region not in tag.allowed_regions:
        raise RegionRefused(f"{session_id}: may not be opened in region {region}")
    opened = await patiently(
        lambda: open_ring(site.keys.provider, wrapped, region=region, tag=tag, now=now)
    )
    sealer = Sealer(opened.keys, stored.header.agent)
    document: dict[str, Any] = {
        "format": FORMAT,
        "session": session_id,
        "tenant": tenant,
        "agent": stored.header.agent,
        "region": region,
        "jurisdictions": list(tag.jurisdictions),
        "policy": tag.policy,
        "expires_at": tag.expires_at,
        "missing": {name.value: why for name, why in opened.gone.items()},
    }
    if DataClass.TRANSCRIPT in opened.keys:
        document["turns"] = [asdict(turn) for turn in read_turns(stored, sealer)]
    if DataClass.VARIABLES in opened.keys:
        tools = read_tools(stored, sealer)
        document["state"] = read_state(stored, sealer)
        document["tools"] = {
            "settled": [asdict(tool) for tool in tools.settled],
            "pending": [asdict(tool) for tool in tools.pending],
        }
    records = await patiently(lambda: store.read_records(session_id=session_id))
    document["calls"] = [record.model_dump(mode="json") for record in records]
    document["recordings"] = await _recordings(
        site, tenant, session_id, recordings if DataClass.RECORDING in opened.keys else None
    )
    facts = {"tenant": tenant, "session": session_id} | found_by(subject)
    await site.note("session_exported", **facts)
    return document


async def _recordings(
    site: Site, tenant: str, session_id: str, folder: Path | None
) -> list[dict[str, Any]]:
    archive = site.recordings
    if archive is None:
        return []
    if folder is None:
        legs = await again(lambda: legs_of(archive, tenant, session_id))
        return [{"leg": leg.name.number, "segments": len(leg.numbers)} for leg in legs]

    def place(leg: int, _: int) -> Path:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unusable(f"{folder}: {error.strerror}") from error
        return folder / f"{session_id}-{leg}.flac"

    done = await export_recordings(site, tenant, session_id, place)
    return [one.as_json() for one in done]
