"""How a call leaves a region that may not have it any more: it is moved, or told and ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

LEAVE_SECONDS = 15.0
"""What leaving may take, words included; then the call is cut."""

log = logging.getLogger(__name__)


class Mover(Protocol):
    """Takes a live call to another region. The conversation is cut and its journal closed by the
    time that it is asked: it moves what is committed."""

    def can_move(self, regions: Sequence[str]) -> bool:
        """Whether there is a way for this call to one of ``regions``. Asked before the caller is
        told that they are moved; must not wait."""
        ...

    async def move(self, regions: Sequence[str]) -> bool:
        """Bring the call to one of ``regions``, of which there is at least one.

        Returns True once the far end has all it needs to go on there, False when it stays; then the
        call ends. Cancelled when time is up. Sends nothing to any region but these.
        """
        ...


class Announce(Protocol):
    """Says fixed words of the operator to the far end: none of them is of the call."""

    async def __call__(self, kind: str, words: str) -> None:
        """Returns when they were heard, or the far end is gone. ``kind`` tells a client which
        notice it is: ``moved`` or ``ended``."""
        ...


class Notices(Protocol):
    """The words, by the agent's file."""

    @property
    def moved(self) -> str: ...
    @property
    def ended(self) -> str: ...


class Farewell:
    """The last seconds of a call that leaves.

    :meth:`hurry` cuts them short: the node drains, or somebody hung up.
    """

    def __init__(
        self,
        announce: Announce,
        mover: Mover | None,
        gone: Callable[[], Awaitable[object]],
    ) -> None:
        self._announce = announce
        self._mover = mover
        self._gone = gone
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """End it now."""
        self._hurried.set()

    async def run(self, notices: Notices, regions: Sequence[str]) -> bool:
        """Whether the call was moved to one of ``regions``. Takes at most ``LEAVE_SECONDS``, and
        raises nothing but ``CancelledError``: whatever fails here, the call ends."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS), asyncio.TaskGroup() as group:
                leaving = group.create_task(self._leave(notices, regions))
                hurried = group.create_task(self._hurried.wait())
                await asyncio.wait({leaving, hurried}, return_when=asyncio.FIRST_COMPLETED)
                moved = leaving.done() and not leaving.exception() and leaving.result()
                leaving.cancel()
                hurried.cancel()
            return moved
        except TimeoutError:
            log.warning("a call took too long to leave")
        except Exception as error:
            log.error("a call did not leave in order", extra={"reason": type(error).__name__})
        return False

    async def _leave(self, notices: Notices, regions: Sequence[str]) -> bool:
        mover = self._mover
        if mover is not None and regions and mover.can_move(regions):
            await self._tell("moved", notices.moved)
            if await mover.move(regions):
                return True
        await self._tell("ended", notices.ended)
        return False

    async def _tell(self, kind: str, words: str) -> None:
        """Returns when it was said, or when nobody is there to hear it."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._announce(kind, words))
            gone = group.create_task(_wait(self._gone))
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            gone.cancel()


async def _wait(gone: Callable[[], Awaitable[object]]) -> None:
    await gone()
