"""The audit log: one JSON line per event, each naming the digest of the one before.

Nothing in it is personal: sessions, tenants and nodes by their ids, what was done, how often. Its
heads, signed with the region's key, are kept elsewhere (:mod:`edge.audit_heads`): the chain alone
shows what was changed inside, and the heads what was cut off or written anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints, ValidationError

from regions.models import Strict

Event: TypeAlias = Literal[
    "log_began",
    "log_recovered",
    "node_started",
    "node_stopped",
    "session_begun",
    "session_resumed",
    "session_carried",
    "session_refused",
    "strangers_refused",
    "policy_in_force",
    "policy_refused",
    "receipts_read",
    "subject_asked",
    "sessions_reviewed",
    "erasure_ordered",
    "session_erased",
    "session_exported",
    "recordings_listed",
    "recording_exported",
]
"""``session_begun``: keys were made; ``session_resumed``: they were opened;
``subject_asked``: an operator looked for a person's sessions; ``sessions_reviewed``: for those
that the law in force keeps from the region;
``session_carried``: keys were made for a session of another region; ``strangers_refused``:
how many callers showed no token that counts, by reason;
``policy_in_force`` and ``policy_refused``: what came of a bundle."""
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
LogId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Fact: TypeAlias = str | int | bool
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,39}$")]
START = "0" * 64
"""What the first entry names as the one before."""
MAX_LINE = 8192


class Entry(Strict):
    """One line of the log. ``n`` counts from 1; ``at`` is Unix seconds."""

    v: Literal[1] = 1
    log: LogId
    n: Annotated[int, Field(ge=1)]
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    who: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
    """A node's id, or ``operator``."""
    event: Event
    facts: Annotated[dict[Word, Fact], Field(max_length=20)]
    prev: Hex64
    """Digest of the entry before."""

    @property
    def digest(self) -> str:
        """SHA-256 of the entry without its digest, in hexadecimal."""
        return hashlib.sha256(_plain(self.model_dump(mode="json"))).hexdigest()

    def line(self) -> bytes:
        """The one spelling of this entry, without the end of the line."""
        return _plain({**self.model_dump(mode="json"), "sha256": self.digest})


class _Line(Entry):
    sha256: Hex64


def read_line(line: bytes) -> Entry | None:
    """The entry of a line; None when it is none, or does not have the digest it claims."""
    if len(line) > MAX_LINE:
        return None
    try:
        found = _Line.model_validate_json(line)
        entry = Entry(**{name: getattr(found, name) for name in Entry.model_fields})
    except ValidationError:
        return None
    return entry if entry.line() == line else None


def _plain(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
