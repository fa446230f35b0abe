"""What can go wrong in this package, and whether doing it again helps.

SessionError
├── StaleOwner       somebody else took the session over: end this call (no retry)
├── UnknownSession   no such session, or its retention is over (no retry)
├── SessionExists    the id belongs to another session (no retry)
├── SessionEnded     the session is over, nothing more is written (no retry)
├── OutOfStep        a gap, or other words for what is already written (no retry)
├── TooLarge         more than a session may hold (no retry)
├── SealError        sealed data does not open here: wrong key, tag, class or place (no retry)
│   ├── RegionRefused  this region may not hold the session (no retry)
│   ├── KeyDestroyed   the key of this data was destroyed: nobody opens it again (no retry)
│   └── KeyRefused     the key service refuses the key: disabled, to be deleted, not ours (no retry)
├── KeyFileError     the region's key file cannot be used; the text says why (no retry)
├── ResumeRefused    a resume token that counts for nothing (no retry)
├── ReplicaRefused   a carried replica that counts for nothing here (no retry)
├── TenantRefused    no store of this node holds that tenant's sessions (no retry)
├── ReceiptRefused   a receipt that nobody signed, or that does not follow (no retry)
├── Overtaken        another call of the session left its record first: look again, then retry
├── StoreBusy        the store or the key service had no time: do the same call again
└── StoreBroken      the store failed: disk full, damaged file, newer schema (no retry)
"""

from __future__ import annotations

from typing import Literal


class SessionError(Exception):
    """Anything that keeps a session from being written or read."""


class StaleOwner(SessionError):
    """Somebody else owns the session by now. End this call; they carry on."""


class UnknownSession(SessionError):
    """There is no such session, or its retention is over."""


class SessionExists(SessionError):
    """A session of this id was begun by someone else."""


class SessionEnded(SessionError):
    """The session is over; nothing more is written to it."""


class OutOfStep(SessionError):
    """A turn or tool call leaves a gap, or says otherwise than what is already written."""


class TooLarge(SessionError):
    """More than one entry, or one session, may hold."""


class SealError(SessionError):
    """Sealed data does not open: another key, tag, class or place, or it was changed."""


class RegionRefused(SealError):
    """The session's residency tag does not allow this region."""


class KeyDestroyed(SealError):
    """The key of this data was destroyed, on purpose or because its time is over."""


class KeyRefused(SealError):
    """The key service does not let this key be used; the text says why."""


class KeyFileError(SessionError):
    """A region's key file cannot be used; the text names the file and the cure."""


class ResumeRefused(SessionError):
    """A resume token that counts for nothing. ``code`` is one of ``docs/protocol.md``."""

    def __init__(self, code: Literal["bad_token", "token_expired"], detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class ReplicaRefused(SessionError):
    """A replica that counts for nothing here. ``code`` is one of ``docs/protocol.md``."""

    def __init__(
        self,
        code: Literal[
            "bad_replica", "replica_expired", "wrong_region", "body_too_large", "not_ready"
        ],
        detail: str,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TenantRefused(SessionError):
    """This node has no way to the sessions of that tenant."""


class ReceiptRefused(SessionError):
    """A receipt that proves nothing; the text says why."""


class Overtaken(SessionError):
    """Another call of the session left its record in between: look again, then retry."""


class StoreBusy(SessionError):
    """The store had no time for this. The same call again is safe: repeats are no-ops."""


class StoreBroken(SessionError):
    """The store failed in a way that waiting does not cure."""
