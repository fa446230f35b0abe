"""The SQLite files of this package: their tables, their versions, and how they are opened."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.session.errors import SessionError, StoreBroken, StoreBusy


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file holds. ``application_id`` tells it from another program's, ``upgrades`` bring a
    file of an older version to the next one."""

    version: int
    application_id: int
    tables: str
    upgrades: Mapping[int, str] = field(default_factory=dict)


VERSION = 2
APPLICATION_ID = 0x494E4C44
"""``INLD``."""

_SUBJECTS = """
CREATE TABLE subject (
  session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  name TEXT NOT NULL,
  PRIMARY KEY (session, name)
);
CREATE INDEX subject_name ON subject (name);
"""
_TABLES = f"""
CREATE TABLE session (
  id TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  tag BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  turn INTEGER NOT NULL DEFAULT 0,
  state BLOB,
  tools INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX session_expiry ON session (expires_at);
CREATE TABLE wrap (
  session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  region TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (session, region)
);
CREATE TABLE turn (
  session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  number INTEGER NOT NULL,
  digest BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (session, number)
);
CREATE TABLE tool (
  session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  call_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  intent_digest BLOB NOT NULL,
  intent BLOB NOT NULL,
  outcome_digest BLOB,
  outcome BLOB,
  PRIMARY KEY (session, call_id)
);
CREATE TABLE record (
  place INTEGER PRIMARY KEY,
  call_id TEXT NOT NULL UNIQUE,
  session TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX record_session ON record (session);
{_SUBJECTS}"""
SESSIONS = Schema(VERSION, APPLICATION_ID, _TABLES, {1: _SUBJECTS})


def connect(path: Path, busy_seconds: float, schema: Schema = SESSIONS) -> sqlite3.Connection:
    """Open the file, made private and with its tables if it is new. Blocks.

    WAL with ``synchronous=NORMAL``: what was committed survives the death of the process; a power
    cut may take the last moments, and with them the machine whose calls they belong to.
    Raises ``StoreBroken`` and ``StoreBusy``.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with _alone(path), mapped():
            database = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
            try:
                _prepare(path, database, schema)
            except BaseException:
                database.close()
                raise
            return database
    except OSError as error:
        raise StoreBroken(f"{path}: cannot be opened: {error.strerror}") from error


def _prepare(path: Path, database: sqlite3.Connection, schema: Schema) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten, not only forgotten.
    database.execute("PRAGMA secure_delete=ON")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables == 0:
        database.executescript(
            f"BEGIN IMMEDIATE; {schema.tables} PRAGMA application_id={schema.application_id};"
            f"PRAGMA user_version={schema.version}; COMMIT;"
        )
        return
    if application != schema.application_id:
        raise StoreBroken(f"{path}: a file of another program: name another one")
    while version in schema.upgrades:
        upgrade, version = schema.upgrades[version], version + 1
        database.executescript(f"BEGIN IMMEDIATE; {upgrade} PRAGMA user_version={version}; COMMIT;")
    if version != schema.version:
        raise StoreBroken(f"{path}: schema {version}, this program reads {schema.version}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time opens the file: two that find it empty would both make its tables."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def mapped() -> Iterator[None]:
    """Turn SQLite's errors into this package's."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error_of(error) from error


def _error_of(error: sqlite3.Error) -> SessionError:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # The lower byte is the primary code, https://sqlite.org/rescode.html.
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy("the session store is busy")
    return StoreBroken(f"the session store failed: {name}")
