"""Asks the session store each second whether it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from edge.session.stores import SessionStores

ASK_SECONDS = 1.0

log = logging.getLogger(__name__)


class StoreWatch:
    """``answers`` is what came of the last question; ``on_change`` is called when it changes."""

    def __init__(self, stores: SessionStores) -> None:
        self._stores = stores
        self.answers = True
        self.on_change: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self.ask()

    async def ask(self) -> None:
        """Ask once."""
        problem = await self._stores.problem()
        answers = problem is None
        if answers == self.answers:
            return
        self.answers = answers
        if answers:
            log.info("session store answers")
        else:
            log.warning("session store does not answer", extra={"reason": problem})
        self.on_change()
