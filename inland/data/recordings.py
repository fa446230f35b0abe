"""Recordings as their operator needs them: which there are, and one as a file."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from edge.media.frames import LISTEN_RATE
from edge.recording.archive import ENDS, Archive, end_of
from edge.recording.errors import ArchiveBusy
from edge.recording.reader import Leg, LegReader, Told, legs_of
from edge.recording.segment import Stereo
from edge.session.errors import KeyDestroyed, UnknownSession
from edge.session.history import tag_of
from edge.session.keyring import open_ring
from edge.session.seal import ClassKey
from inland.data.errors import Unusable
from inland.data.site import TRIES, Site, patiently
from regions.models import DataClass

FORMATS = (".wav", ".flac")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A session with recordings. ``legs`` maps their numbers to how many segments there are."""

    session: str
    legs: dict[int, int]
    ends_at: int


@dataclass(frozen=True, slots=True)
class Exported:
    """One leg as a file; times in Unix seconds and seconds from the beginning."""

    leg: int
    file: str
    began: float
    seconds: float
    gaps: tuple[tuple[float, float], ...]
    ended: str | None
    """Why, or None when its end is not there: its node died, or the end was taken away."""

    @property
    def whole(self) -> bool:
        """Whether nothing of it is missing."""
        return self.ended is not None and not self.gaps

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"whole": self.whole}


def archive_of(site: Site) -> Archive:
    """The node's. Raises ``Unusable`` where it has none."""
    if site.recordings is None:
        raise Unusable("recordings: this node has no place for recordings")
    return site.recordings


async def list_recordings(
    site: Site, tenant: str, session_id: str | None = None
) -> tuple[Recorded, ...]:
    """A tenant's, those that end first before the others. That it was asked is in the audit log
    before it is answered. Raises ``Unusable``, ``RecordingError``."""
    archive = archive_of(site)
    found = []
    for marker in await again(lambda: archive.names(ENDS)):
        end = end_of(marker)
        if end is None or not end[1].startswith(f"{tenant}/"):
            continue
        name = end[1].split("/")[1]
        if session_id in (None, name):
            legs = await again(partial(legs_of, archive, tenant, name))
            counts = {leg.name.number: len(leg.numbers) for leg in legs}
            found.append(Recorded(name, counts, end[0]))
    facts = {} if session_id is None else {"session": session_id}
    await site.note("recordings_listed", tenant=tenant, count=len(found), **facts)
    return tuple(found)


async def export_recordings(
    site: Site, tenant: str, session_id: str, place: Callable[[int, int], Path]
) -> tuple[Exported, ...]:
    """Write each leg of a session to ``place(leg, of how many)``, the caller left, the agent right.

    That it was read is in the audit log before anything is written. None is written where there is
    no recording. Raises ``KeyDestroyed``, ``UnknownSession``, ``NotTheirs``, ``Unusable``,
    ``RecordingError``, ``SessionError``.
    """
    archive = archive_of(site)
    legs = await again(lambda: legs_of(archive, tenant, session_id))
    if not legs:
        return ()
    key, agent = await _key(site, tenant, session_id)
    await site.note("recording_exported", tenant=tenant, session=session_id, legs=len(legs))
    return tuple(
        [await _write(archive, leg, key, agent, place(leg.name.number, len(legs))) for leg in legs]
    )


async def _key(site: Site, tenant: str, session_id: str) -> tuple[ClassKey, str]:
    store, now, region = site.stores.of(tenant), site.clock.wall(), site.settings.region
    header = await patiently(lambda: store.header(session_id, now))
    site.require_own(header, session_id, tenant)
    wrapped = header.wraps.get(region)
    if wrapped is None:
        raise UnknownSession(f"{session_id}: has no keys in region {region}")
    tag = tag_of(header, session_id)
    opened = await patiently(
        lambda: open_ring(site.keys.provider, wrapped, region=region, tag=tag, now=now)
    )
    key = opened.keys.get(DataClass.RECORDING)
    if key is None:
        why = opened.gone.get(DataClass.RECORDING, "it has none")
        raise KeyDestroyed(f"{session_id}: the key of its recordings is not there: {why}")
    return key, header.agent


async def _write(archive: Archive, leg: Leg, key: ClassKey, agent: str, path: Path) -> Exported:
    reader = LegReader(archive, leg, key=key, agent=agent)
    with _sink(path) as write:
        async for piece in reader.pieces():
            write(piece)
    return _exported(reader.told, path)


def _exported(told: Told, path: Path) -> Exported:
    return Exported(
        leg=told.leg.number,
        file=str(path),
        began=told.began,
        seconds=told.seconds,
        gaps=told.gaps,
        ended=told.why,
    )


@contextmanager
def _sink(path: Path) -> Iterator[Callable[[Stereo], None]]:
    """A new file for nobody else to read; one that is not written to its end is removed."""
    if path.suffix not in FORMATS:
        raise Unusable(f"{path}: end its name with {' or '.join(FORMATS)}")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    try:
        kind = _wav if path.suffix == ".wav" else _flac
        with os.fdopen(handle, "w+b") as file, kind(file) as write:
            yield write
    except struct.error as error:
        path.unlink()
        raise Unusable(f"{path}: is too long for a WAV file: write .flac") from error
    except BaseException:
        path.unlink()
        raise


@contextmanager
def _wav(file: Any) -> Iterator[Callable[[Stereo], None]]:
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(LISTEN_RATE)
        yield lambda audio: out.writeframesraw(audio.tobytes())


@contextmanager
def _flac(file: Any) -> Iterator[Callable[[Stereo], None]]:
    import av

    with av.open(file, "w", format="flac") as out:
        stream: Any = out.add_stream("flac", rate=LISTEN_RATE, layout="stereo")

        def write(audio: Stereo) -> None:
            if len(audio):
                frame = av.AudioFrame.from_ndarray(
                    audio.reshape(1, -1), format="s16", layout="stereo"
                )
                frame.sample_rate = LISTEN_RATE
                out.mux(stream.encode(frame))

        yield write
        out.mux(stream.encode(None))


async def again(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step of the archive again while it has no time. Raises ``ArchiveBusy`` in the end."""
    for _ in range(TRIES - 1):
        try:
            return await step()
        except ArchiveBusy:
            continue
    return await step()
