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
COMMIT_PAUSES = (0.02, 0.1, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Seconds between the tries: long enough for sentinels to choose another primary. Ending the call
sooner helps nobody: the caller's next node has the same store."""
LONGEST_SECONDS = 8.0
"""What all tries take together at most, also when each of them hangs."""
FINISH_PAUSES = (0.1, 0.5, 1.0, 2.0)
"""Longer, for nobody waits: a caller who hung up must not be able to come back."""


class PatientJournal:
    """Writes like ``Journal``; a repeat is a no-op there, so trying again is safe."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._shut = False

    def shut(self) -> None:
        """See ``Journal``."""
        self._shut = True
        self._journal.shut()

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        """Write a turn. Raises what the journal raises; ``StoreBusy`` only after the last try.

        What comes too late is dropped: the call is being cut, and has nowhere to keep it.
        """
        if not self._shut:
            await _patiently(lambda: self._journal.commit(turn, state), COMMIT_PAUSES)

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        """Write what is about to be done. Raises what the journal raises."""
        return await _patiently(
            lambda: self._journal.tool_pending(call_id, name, arguments), COMMIT_PAUSES
        )

    async def tool_settled(self, record: ToolRecord) -> None:
        """Write what came of it. Raises what the journal raises; dropped when it comes too late."""
        if not self._shut:
            await _patiently(lambda: self._journal.tool_settled(record), COMMIT_PAUSES)

    async def finish(self, record: CallRecord) -> None:
        """Write the call's record. Raises what the journal raises, ``StoreBusy`` at the last."""
        await _patiently(lambda: self._journal.finish(record), FINISH_PAUSES)


async def _patiently(write: Callable[[], Awaitable[Result]], pauses: Sequence[float]) -> Result:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            for pause in pauses:
                try:
                    return await write()
                except StoreBusy:
                    await asyncio.sleep(pause)
            return await write()
    except TimeoutError as error:
        raise StoreBusy("the session store was busy for too long") from error
