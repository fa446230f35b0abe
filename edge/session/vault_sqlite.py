"""A vault in a folder of its own, beside an embedded session store."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Self

from edge.session.errors import StoreBroken
from edge.session.schema import Schema
from edge.session.sqlite_thread import SqliteThread
from regions.tag import ResidencyTag

BUSY_SECONDS = 2.0
FILE = "keys.sqlite"
SCHEMA = Schema(
    version=1,
    application_id=0x494E4C4B,  # INLK
    tables="""
CREATE TABLE wrapped (
  session TEXT NOT NULL,
  handle BLOB NOT NULL,
  class TEXT NOT NULL,
  body BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (session, handle)
);
CREATE INDEX wrapped_expiry ON wrapped (expires_at);
""",
)
CACHE_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# No backup may copy this folder: it holds the keys of sessions, and a session is erased by\n"
    "# destroying them. Nothing is lost with it but conversations that were to be resumed.\n"
)
"""Tells backup programs to leave the folder out (tar --exclude-caches, restic, borg): "Cache
Directory Tagging Specification", bford.info/cachedir, read 2026-11-21."""


class SqliteVault:
    """A :class:`~edge.session.vault.KeyVault` for every tenant of a machine."""

    def __init__(self, database: SqliteThread) -> None:
        self._database = database

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Open the vault, made if it is not there. Raises ``StoreBroken`` and ``StoreBusy``."""
        await asyncio.to_thread(_make, folder)
        return cls(await SqliteThread.open(folder / FILE, SCHEMA, BUSY_SECONDS))

    async def put(self, tag: ResidencyTag, handle: bytes, wrapped: bytes) -> None:
        place = _name(tag.tenant, tag.session), handle, tag.data_class.value
        await self._database.run(
            lambda: self._database.database.execute(
                "INSERT INTO wrapped (session, handle, class, body, expires_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (session, handle) DO NOTHING",
                (*place, wrapped, tag.expires_at),
            )
        )

    async def get(self, tag: ResidencyTag, handle: bytes) -> bytes | None:
        def read() -> bytes | None:
            row = self._database.database.execute(
                "SELECT body FROM wrapped WHERE session = ? AND handle = ? AND class = ?",
                (_name(tag.tenant, tag.session), handle, tag.data_class.value),
            ).fetchone()
            return None if row is None else bytes(row[0])

        return await self._database.run(read)

    async def destroy(self, tenant: str, session_id: str) -> int:
        count = await self._delete("session = ?", _name(tenant, session_id))
        await self._database.clear_log()
        return count

    async def sweep(self, now: float) -> int:
        count = await self._delete("expires_at <= ?", now)
        if count:
            await self._database.clear_log()
        return count

    async def close(self) -> None:
        await self._database.close()

    async def _delete(self, where: str, value: str | float) -> int:
        return await self._database.run(
            lambda: (
                self._database.database.execute(
                    f"DELETE FROM wrapped WHERE {where}", (value,)
                ).rowcount
            )
        )


def _name(tenant: str, session_id: str) -> str:
    return f"{tenant}:{session_id}"


def _make(folder: Path) -> None:
    path = folder / "CACHEDIR.TAG"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            draft.write_text(CACHE_TAG)
            draft.replace(path)
    except OSError as error:
        raise StoreBroken(f"{folder}: cannot be used: {error.strerror}") from error
