"""A journal for the conversation: writes are tried again while the store is only busy."""

from __future__ import annotations

import asyncio

from edge.events import JsonValue, Turn
from edge.session.errors import StoreBusy
from edge.session.journal import Journal

PAUSES = (0.02, 0.1, 0.5)
"""Seconds between the tries: a store that fails over is back within them, or the call must know."""


class PatientJournal:
    """Commits like ``Journal.commit``; a repeat is a no-op there, so trying again is safe."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        """Write a turn. Raises what the journal raises; ``StoreBusy`` only after the last try."""
        for pause in PAUSES:
            try:
                return await self._journal.commit(turn, state)
            except StoreBusy:
                await asyncio.sleep(pause)
        return await self._journal.commit(turn, state)
