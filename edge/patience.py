"""A journal for the call: writes are tried again while the store is only busy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from edge.events import JsonValue, ToolRecord, Turn
from edge.session.errors import StoreBusy
from edge.session.journal import Journal
from edge.session.records import CallRecord

Result = TypeVar("Result")
COMMIT_PAUSES = (0.02, 0.1, 0.5)
"""Seconds between the tries: a store that fails over is back within them, or the call must know."""
FINISH_PAUSES = (0.1, 0.5, 1.0, 2.0)
"""Longer, for nobody waits: a caller who hung up must not be able to come back."""


class PatientJournal:
    """Writes like ``Journal``; a repeat is a no-op there, so trying again is safe."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        """Write a turn. Raises what the journal raises; ``StoreBusy`` only after the last try."""
        await _patiently(lambda: self._journal.commit(turn, state), COMMIT_PAUSES)

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        """Write what is about to be done. Raises what the journal raises."""
        return await _patiently(
            lambda: self._journal.tool_pending(call_id, name, arguments), COMMIT_PAUSES
        )

    async def tool_settled(self, record: ToolRecord) -> None:
        """Write what came of it. Raises what the journal raises."""
        await _patiently(lambda: self._journal.tool_settled(record), COMMIT_PAUSES)

    async def finish(self, record: CallRecord) -> None:
        """Write the call's record. Raises what the journal raises, ``StoreBusy`` at the last."""
        await _patiently(lambda: self._journal.finish(record), FINISH_PAUSES)


async def _patiently(write: Callable[[], Awaitable[Result]], pauses: Sequence[float]) -> Result:
    for pause in pauses:
        try:
            return await write()
        except StoreBusy:
            await asyncio.sleep(pause)
    return await write()
