"""A session that goes on from a replica: its history written into the store of the new region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edge.events import JsonValue, ToolRecord, Turn
from edge.session.contents import Contents
from edge.session.errors import OutOfStep
from edge.session.history import History, PendingTool
from regions.tag import ResidencyTag


class Entries(Protocol):
    """What it needs of the journal of a session that has just begun."""

    async def commit(self, turn: Turn, state: JsonValue) -> None: ...
    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None: ...
    async def tool_settled(self, record: ToolRecord) -> None: ...


async def import_contents(journal: Entries, contents: Contents) -> None:
    """Write everything, in order.

    Until it returns nobody may be given what resumes the session. Raises what the journal raises;
    the session is then of no use, and is to be erased.
    """
    for tool in contents.tools:
        if await journal.tool_pending(tool.call_id, tool.name, tool.arguments) is not None:
            raise OutOfStep("the session had entries before its history was written")
        if not isinstance(tool, PendingTool):
            await journal.tool_settled(tool)
    for turn in contents.turns:
        last = turn.number == len(contents.turns)
        # Only the latest state is ever read.
        await journal.commit(turn, contents.state if last else None)


def history_of(contents: Contents, agent: str, tag: ResidencyTag) -> History:
    """The history as a takeover would read it."""
    return History(
        agent=agent,
        tag=tag,
        turns=contents.turns,
        state=contents.state,
        pending=tuple(tool for tool in contents.tools if isinstance(tool, PendingTool)),
        settled=tuple(tool for tool in contents.tools if not isinstance(tool, PendingTool)),
        ended=False,
    )
