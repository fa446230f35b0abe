"""Threads that ask a place of recordings: with a deadline, and a bound on what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edge.recording.errors import ArchiveBusy

MAX_WAITING = 500
T = TypeVar("T")


class Hands:
    """``threads`` of them. A step may take ``seconds``, the wait for a thread included."""

    def __init__(self, threads: int, seconds: float) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="recordings")
        self._seconds = seconds
        self._waiting = 0

    async def ask(self, step: Callable[[], T]) -> T:
        """Do it in a thread. What was given up may happen all the same, if it had begun.

        Raises what ``step`` raises, and ``ArchiveBusy``.
        """
        if self._waiting >= MAX_WAITING:
            raise ArchiveBusy("the place of recordings has too many questions waiting")
        # Emptied when nobody waits any more: the queue of a thread that hangs keeps what was
        # cancelled, and a step has a segment in it.
        held = [step]
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, lambda: held.pop()())
        except TimeoutError:
            raise ArchiveBusy("the place of recordings did not answer in time") from None
        finally:
            held.clear()
            self._waiting -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
