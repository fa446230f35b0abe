"""What a session's entries say, opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.events import JsonValue, ToolRecord, Turn
from edge.session import codec
from edge.session.errors import SealError
from edge.session.seal import Sealer
from edge.session.store import SessionHeader, StoredSession
from regions.errors import TagError
from regions.models import DataClass
from regions.tag import ResidencyTag


@dataclass(frozen=True, slots=True)
class PendingTool:
    """A tool call that was about to be made, and of which nothing more is known."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Tools:
    """A session's tool calls, in the order they were made.

    ``settled`` has every one that came back, also those of committed turns.
    """

    pending: tuple[PendingTool, ...]
    settled: tuple[ToolRecord, ...]


@dataclass(frozen=True, slots=True)
class History:
    """A session as its last owner left it.

    ``state`` is the dialog's after the last turn, None before the first. ``settled`` has every
    tool call that came back, also those of committed turns, in the order they were made. A session
    that has ``ended`` can be read and not written.
    """

    agent: str
    tag: ResidencyTag
    turns: tuple[Turn, ...]
    state: JsonValue
    pending: tuple[PendingTool, ...]
    settled: tuple[ToolRecord, ...]
    ended: bool


def require_session(tag: ResidencyTag, session_id: str) -> None:
    """Raise ``SealError`` for the tag of another session."""
    if tag.session != session_id:
        raise SealError("the residency tag is of another session")


def tag_of(header: SessionHeader, session_id: str) -> ResidencyTag:
    """The session's residency tag. Raises ``SealError``."""
    try:
        tag = ResidencyTag.from_canonical(header.tag)
    except TagError as error:
        raise SealError("the session's residency tag cannot be read") from error
    require_session(tag, session_id)
    return tag


def read_history(stored: StoredSession, tag: ResidencyTag, sealer: Sealer) -> History:
    """Everything of a session. Raises ``SealError``."""
    turns, tools = read_turns(stored, sealer), read_tools(stored, sealer)
    return History(
        agent=stored.header.agent,
        tag=tag,
        turns=turns,
        state=read_state(stored, sealer),
        pending=tools.pending,
        settled=tools.settled,
        ended=stored.header.ended,
    )


def read_turns(stored: StoredSession, sealer: Sealer) -> tuple[Turn, ...]:
    """The session's words. Raises ``SealError``."""
    return tuple(
        codec.decode_turn(sealer.open(DataClass.TRANSCRIPT, "turn", number, body))
        for number, body in enumerate(stored.turns, start=1)
    )


def read_state(stored: StoredSession, sealer: Sealer) -> JsonValue:
    """The dialog's state after the last turn. Raises ``SealError``.

    It is sealed under the number of its turn: an older state, or a history without its last turns,
    does not open.
    """
    if (stored.state is None) != (not stored.turns):
        raise SealError("the session's turns and state do not belong together")
    if stored.state is None:
        return None
    state: JsonValue = codec.decode(
        sealer.open(DataClass.VARIABLES, "state", len(stored.turns), stored.state)
    )
    return state


def read_tools(stored: StoredSession, sealer: Sealer) -> Tools:
    """The session's tool calls. Raises ``SealError``."""
    pending: list[PendingTool] = []
    settled: list[ToolRecord] = []
    for tool in stored.tools:
        if tool.outcome is not None:
            settled.append(read_outcome(sealer, tool.call_id, tool.outcome))
        else:
            plain = sealer.open(DataClass.VARIABLES, "intent", tool.call_id, tool.intent)
            pending.append(PendingTool(tool.call_id, **codec.decode(plain)))
    return Tools(tuple(pending), tuple(settled))


def read_outcome(sealer: Sealer, call_id: str, sealed: bytes) -> ToolRecord:
    """What came of a tool call. Raises ``SealError``."""
    return codec.decode_outcome(sealer.open(DataClass.VARIABLES, "outcome", call_id, sealed))
