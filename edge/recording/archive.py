"""Where recordings are kept: what is asked of a folder or a bucket, and how objects are named.

Names tell a tenant, a session and a leg, all opaque, and nothing of a caller::

    <tenant>/<session>/<leg>/<segment>
    <tenant>/<session>/<leg>/live/mark
    .ends/<Unix seconds>/<tenant>/<session>

The second is an empty object that is there while the leg is recorded: who erases the session
deletes it with all else, and so tells whoever records. The third is an empty object beside each
session's recording: the one list that is read to delete what is over, in the order in which it
ends.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Protocol, Self

from edge.ledger import Place

MAX_SEGMENT = 4 * 1024 * 1024
"""Longest sealed segment that is read, bytes; ten seconds of noise have 0.7 MB."""
ENDS = ".ends/"
_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SESSION = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}")
_LEG = re.compile(r"([0-9]{4,9})-([0-9]{12})-[0-9a-f]{8}")
_SEGMENT = re.compile(r"[0-9]{8}")


class Archive(Protocol):
    """Keeps sealed segments of one region under names.

    Repeats are no-ops. All may raise ``ArchiveBusy`` and ``ArchiveBroken``. What was cancelled may
    or may not have happened.
    """

    place: Place
    """As receipts name it."""

    async def check(self) -> None:
        """See that it is there, ours and in the node's region. Raises ``ArchiveBroken``."""
        ...

    async def put(self, name: str, body: bytes) -> None:
        """Keep ``body``; on return it is lasting."""
        ...

    async def get(self, name: str) -> bytes:
        """What is kept there. Raises ``NoRecording``."""
        ...

    async def names(self, under: str, most: int | None = None) -> tuple[str, ...]:
        """Names that begin with ``under``, in order; the first ``most`` of them."""
        ...

    async def delete(self, names: tuple[str, ...]) -> None:
        """Delete what is there of these."""
        ...

    async def close(self) -> None:
        """Free it after the steps under way. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class LegName:
    """One leg's recording: which owner of the session made it, and when it is over.

    The random part keeps legs apart that a store which lost its last moments counted alike.
    """

    number: int
    ends_at: int
    """Unix seconds."""
    text: str

    @classmethod
    def new(cls, number: int, ends_at: int) -> Self:
        """A name for a leg that begins."""
        return cls(number, ends_at, f"{number:04d}-{ends_at:012d}-{secrets.token_hex(4)}")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The name of a folder, or None when it is no leg's."""
        found = _LEG.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]), text)


def session_folder(tenant: str, session_id: str) -> str:
    """What the names of a session's recordings begin with. Raises ``ValueError``."""
    if _TENANT.fullmatch(tenant) is None or _SESSION.fullmatch(session_id) is None:
        raise ValueError("not the ids of a tenant and a session")
    return f"{tenant}/{session_id}/"


def segment_name(folder: str, leg: LegName, number: int) -> str:
    """The name of a segment of the session with this folder."""
    return f"{leg_folder(folder, leg)}{number:08d}"


def segment_of(folder: str, name: str) -> tuple[LegName, int] | None:
    """Leg and number of a name in a session's folder; None for what nobody here wrote."""
    leg, _, number = name.removeprefix(folder).partition("/")
    found = LegName.parse(leg)
    if found is None or _SEGMENT.fullmatch(number) is None:
        return None
    return found, int(number)


def leg_folder(folder: str, leg: LegName) -> str:
    """What the names of a leg of the session with this folder begin with."""
    return f"{folder}{leg.text}/"


def live_mark(folder: str, leg: LegName) -> str:
    """The name of what is there while a leg is recorded; nothing else is under its folder."""
    return f"{leg_folder(folder, leg)}live/mark"


def leg_of(folder: str, name: str) -> LegName | None:
    """The leg that a name in a session's folder is of, whatever it names."""
    return LegName.parse(name.removeprefix(folder).partition("/")[0])


def end_marker(folder: str, ends_at: int) -> str:
    """The name by which the session is found when its recordings are over."""
    return f"{ENDS}{ends_at:012d}/{folder.removesuffix('/')}"


def end_of(marker: str) -> tuple[int, str] | None:
    """When, and the session's folder; None for what is no marker."""
    end, _, folder = marker.removeprefix(ENDS).partition("/")
    tenant, _, session_id = folder.partition("/")
    try:
        return int(end), session_folder(tenant, session_id)
    except ValueError:
        return None
