"""Appends to an audit log: safe against crashes, and against several processes at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.audit import MAX_LINE, START, Entry, Event, Fact, read_line
from edge.audit_heads import Head, HeadKey
from edge.clock import Clock


class AuditError(Exception):
    """The audit log cannot be written; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something for the log, and when (Unix seconds)."""

    at: float
    event: Event
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of the file: its last entry, and what a crash left of another line."""

    last: Entry | None
    torn: bytes
    ended: bool
    """Whether the file's last line is: of a whole entry a crash may have cut off just that."""


class AuditLog:
    """One log file, and the file for its heads.

    Nothing is ever overwritten: a line that a crash cut short is ended where it is, and the next
    entry says so. Every append takes the file for itself, reads its end and is on the disk when it
    returns. All methods block.
    """

    def __init__(
        self,
        path: Path,
        heads: Path,
        *,
        region: str,
        who: str,
        key: HeadKey,
        clock: Clock,
        tell: Callable[[str], None] = lambda head: None,
    ) -> None:
        self._path = path
        self._heads = heads
        self._region = region
        self._who = who
        self._key = key
        self._clock = clock
        self._tell = tell
        """Is given each signed head as well: for the node's own log, which is shipped away."""

    def append(self, happened: Sequence[Happened], *, sign: bool) -> int:
        """Write entries, and with ``sign`` the head after them; returns the number of the last.

        Raises ``AuditError``.
        """
        try:
            with self._alone() as descriptor:
                last = self._write(descriptor, happened)
                if sign:
                    self._sign(last)
                return last.n
        except OSError as error:
            name = error.filename or self._path
            raise AuditError(f"{name}: cannot be written: {error.strerror}") from error

    def _write(self, descriptor: int, happened: Sequence[Happened]) -> Entry:
        tail = _tail(descriptor, self._path)
        last, lines = tail.last, [] if tail.ended else [b"\n"]

        def add(at: float, event: Event, facts: Mapping[str, Fact]) -> None:
            nonlocal last
            last = Entry(
                log=secrets.token_hex(8) if last is None else last.log,
                n=1 if last is None else last.n + 1,
                at=round(at, 3),
                who=self._who,
                event=event,
                facts=dict(facts),
                prev=START if last is None else last.digest,
            )
            lines.append(last.line() + b"\n")

        now = self._clock.wall()
        if last is None:
            add(now, "log_began", {"region": self._region, "key": self._key.key_id})
        if tail.torn:
            digest = hashlib.sha256(tail.torn).hexdigest()
            add(now, "log_recovered", {"bytes": len(tail.torn), "sha256": digest})
        for each in happened:
            add(each.at, each.event, each.facts)
        assert last is not None  # a new log has its first entry by now
        _write_all(descriptor, b"".join(lines))
        return last

    def _sign(self, last: Entry) -> None:
        signed = self._key.sign(
            Head(
                log=last.log,
                region=self._region,
                n=last.n,
                digest=last.digest,
                at=round(self._clock.wall(), 3),
            )
        )
        descriptor = _open(self._heads)
        try:
            _write_all(descriptor, signed.encode() + b"\n")
        finally:
            os.close(descriptor)
        self._tell(signed)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        descriptor = _open(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # a file that a power cut takes with its name was never there
        finally:
            os.close(folder)
    return descriptor


def _tail(descriptor: int, path: Path) -> _Tail:
    size = os.fstat(descriptor).st_size
    # The last whole line and a torn one after it are in here.
    start = max(0, size - 2 * (MAX_LINE + 1))
    whole, newline, torn = os.pread(descriptor, size - start, start).rpartition(b"\n")
    if not newline and size > MAX_LINE:
        raise AuditError(f"{path}: is no audit log: name another file")
    last = read_line(whole.rpartition(b"\n")[2]) if newline else None
    if newline and last is None:
        raise AuditError(
            f"{path}: its last line is no entry: see `inland audit verify`, move the file away"
        )
    unended = read_line(torn)
    if unended is not None and unended.prev == (START if last is None else last.digest):
        return _Tail(unended, b"", ended=False)
    return _Tail(last, torn, ended=not torn)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)
