"""Threads that ask a service or a disk: with a deadline, and a bound on what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MAX_WAITING = 500
T = TypeVar("T")


class Hands:
    """``threads`` of them, which ask ``whom``. A step may take ``seconds``, the wait for a thread
    included; ``most`` may wait. ``busy`` makes the error of one that nobody could do in time.
    """

    def __init__(
        self,
        whom: str,
        busy: Callable[[str], Exception],
        *,
        threads: int,
        seconds: float,
        most: int = MAX_WAITING,
    ) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hands")
        self._whom = whom
        self._busy = busy
        self._seconds = seconds
        self._most = most
        self._waiting = 0

    async def ask(self, step: Callable[[], T]) -> T:
        """Do it in a thread. What was given up may happen all the same, if it had begun.

        Raises what ``step`` raises, and what ``busy`` makes.
        """
        if self._waiting >= self._most:
            raise self._busy(f"{self._whom} has too many questions waiting")
        # Emptied when nobody waits any more: the queue of a thread that hangs keeps what was
        # cancelled, and a step may have megabytes in it.
        held = [step]
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, lambda: held.pop()())
        except TimeoutError:
            raise self._busy(f"{self._whom} did not answer in time") from None
        finally:
            held.clear()
            self._waiting -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
