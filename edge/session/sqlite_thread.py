"""One SQLite connection on one thread: no step of it blocks the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from edge.session.errors import StoreBroken, StoreBusy
from edge.session.schema import Schema, connect, mapped

MAX_WAITING = 1_000
"""Steps that may queue up for the thread."""

T = TypeVar("T")


class SqliteThread:
    """Runs steps one after the other, each as one immediate transaction.

    Cancelling a step does not undo it.
    """

    def __init__(self, database: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self.database = database
        """Only to be touched inside a step."""
        self._thread = thread
        self._waiting = 0
        self._closed = False

    @classmethod
    async def open(cls, path: Path, schema: Schema, busy_seconds: float) -> Self:
        """Open the file, made if it is not there. Raises ``StoreBroken`` and ``StoreBusy``."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sqlite-{path.stem}")
        try:
            loop = asyncio.get_running_loop()
            database = await loop.run_in_executor(thread, connect, path, busy_seconds, schema)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(database, thread)

    async def run(self, step: Callable[[], T]) -> T:
        """Run ``step`` as one transaction. Raises ``StoreBusy``, ``StoreBroken``."""
        return await self._on_thread(lambda: self._transaction(step))

    async def clear_log(self) -> None:
        """Move the write-ahead log into the file and cut it to nothing.

        Until then it may still hold pages as they were before a deletion ("Write-Ahead Logging",
        section 2.1, sqlite.org, read 2026-11-21). Raises ``StoreBusy`` while another process reads.
        """
        await self._on_thread(self._clear_log)

    async def close(self) -> None:
        """Close after the steps under way. Idempotent."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self.database.close)
        self._thread.shutdown(wait=False)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreBroken("the session store is closed")
        if self._waiting >= MAX_WAITING:
            raise StoreBusy("the session store has too many steps waiting")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def _clear_log(self) -> None:
        with mapped():
            (busy, _, _) = self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreBusy("the session store's log is in use")

    def _transaction(self, step: Callable[[], T]) -> T:
        with mapped(), self._atomic():
            return step()

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.database.execute("COMMIT")
        except BaseException:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
            raise
