"""The keys of one session: one per class of data, so that a class can be destroyed alone."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from pydantic import Field, ValidationError

from edge.session.errors import KeyDestroyed, SealError
from edge.session.keys import RING_FORMAT, KeyProvider, derive
from edge.session.seal import ClassKey, new_data_key
from regions.models import DataClass, Id, Strict
from regions.tag import ResidencyTag

SEALED = (DataClass.TRANSCRIPT, DataClass.VARIABLES)
"""The classes that a journal has entries of."""
RECORDED = DataClass.RECORDING
"""Has a key only where a call is recorded."""
MAX_BYTES = 8192
"""Longest ring that is read."""

Ring: TypeAlias = Mapping[DataClass, ClassKey]
Wraps: TypeAlias = Mapping[str, bytes]
"""Region to what its nodes need to open a session."""


class _Wrapped(Strict):
    until: int = Field(ge=0)
    key: str
    seal: str
    """Binds the class's key to the session's own tag, which the wrapped key does not know."""
    regions: tuple[Id, ...] | None = None
    """Regions that may have the class, where they are not the session's own."""


class _Ring(Strict):
    v: Literal[1]
    keys: dict[DataClass, _Wrapped]


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's keys, as far as they are still there.

    ``gone`` says of each other class why: its time is over, or it was destroyed.
    """

    keys: Ring
    gone: Mapping[DataClass, str]


def class_tag(
    tag: ResidencyTag, data_class: DataClass, until: int, regions: tuple[str, ...] | None = None
) -> ResidencyTag:
    """The tag of one class of a session's data, which may expire before the session does, and be
    allowed in fewer regions."""
    narrowed = {} if regions is None else {"allowed_regions": regions}
    return tag.model_copy(update={"data_class": data_class, "expires_at": until, **narrowed})


def one_key(data_key: bytes, tag: ResidencyTag) -> Ring:
    """A single key for every class: sessions begun by the version before, which did not record."""
    return {name: ClassKey(data_key, tag.for_class(name)) for name in SEALED}


async def make_ring(
    keys: KeyProvider,
    regions: Iterable[str],
    tag: ResidencyTag,
    ends: Mapping[DataClass, int],
    recording: tuple[str, ...] = (),
) -> tuple[Ring, Wraps]:
    """New keys for a session, wrapped for ``regions``.

    ``ends`` are the Unix seconds at which a class expires before the session does. ``recording``
    are the regions that may have a recording; without any there is no key for one. Raises
    ``RegionRefused``, ``KeyRefused``, ``StoreBusy``, ``StoreBroken``.
    """
    narrowed = {RECORDED: recording} if recording else {}
    ring = {
        name: ClassKey(
            new_data_key(),
            class_tag(
                tag,
                name,
                min(ends.get(name, tag.expires_at), tag.expires_at),
                narrowed.get(name),
            ),
        )
        for name in (*SEALED, *narrowed)
    }
    wraps: dict[str, bytes] = {}
    for region in regions:
        wrapped = {
            name: await keys.wrap(each.key, region=region, tag=each.tag)
            for name, each in ring.items()
            if region in each.tag.allowed_regions
        }
        wraps[region] = _encode(ring, wrapped, tag)
    return ring, wraps


async def open_ring(
    keys: KeyProvider, wrapped: bytes, *, region: str, tag: ResidencyTag, now: float
) -> Opened:
    """The keys of a session whose header has ``tag``.

    A class whose time is over is not asked for. Raises ``SealError`` when a key does not unwrap
    under this tag, ``StoreBusy``, ``StoreBroken``.
    """
    if not wrapped.startswith(RING_FORMAT):
        return Opened(one_key(await keys.unwrap(wrapped, region=region, tag=tag), tag), {})
    found: dict[DataClass, ClassKey] = {}
    gone: dict[DataClass, str] = {}
    for name, entry in _decode(wrapped).items():
        if entry.until <= now:
            gone[name] = "its retention is over"
            continue
        bound = class_tag(tag, name, entry.until, entry.regions)
        try:
            key = await keys.unwrap(_bytes(entry.key), region=region, tag=bound)
        except KeyDestroyed as error:
            gone[name] = str(error)
            continue
        if not hmac.compare_digest(_seal(key, tag), _bytes(entry.seal)):
            raise SealError("the session's keys are not those of this residency tag")
        found[name] = ClassKey(key, bound)
    return Opened(found, gone)


def _seal(key: bytes, tag: ResidencyTag) -> bytes:
    return hmac.digest(derive(key, "session tag"), tag.canonical(), sha256)


def _encode(ring: Ring, wrapped: Mapping[DataClass, bytes], tag: ResidencyTag) -> bytes:
    keys = {
        name: _Wrapped(
            until=each.tag.expires_at,
            key=_text(wrapped[name]),
            seal=_text(_seal(each.key, tag)),
            regions=each.tag.allowed_regions if name is RECORDED else None,
        )
        for name, each in ring.items()
        if name in wrapped
    }
    return RING_FORMAT + _Ring(v=1, keys=keys).model_dump_json(exclude_none=True).encode()


def _decode(wrapped: bytes) -> dict[DataClass, _Wrapped]:
    try:
        return _Ring.model_validate_json(wrapped[len(RING_FORMAT) : MAX_BYTES]).keys
    except ValidationError as error:
        raise SealError("the session's keys are of an unknown format") from error


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SealError("the session's keys are of an unknown format") from error
