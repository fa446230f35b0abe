"""The edge's events as far as a caller reads them (docs/protocol.md, section 3).

Unknown fields and unknown events are skipped: an edge may be newer than its caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.events import JsonValue

Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(max_length=512)]


class EdgeMessage(BaseModel):
    """An event of the edge."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PastTurn(EdgeMessage):
    number: int
    caller: Text
    agent: Text


class CreatedSession(EdgeMessage):
    id: Name


class CreatedCall(EdgeMessage):
    call_id: Name
    region: Name
    node: Name
    resume_token: Annotated[str, Field(max_length=8192)]
    resumed: bool = False
    carry: int = 0
    """The version of replicas that the edge offers; 0 for none."""
    turns: tuple[PastTurn, ...] = ()


class SessionCreated(EdgeMessage):
    type: Literal["session.created"]
    session: CreatedSession
    inland: CreatedCall


class StateChanged(EdgeMessage):
    type: Literal["inland.state"]
    state: Name


class PartialTranscript(EdgeMessage):
    type: Literal["inland.transcript.partial"]
    text: Text


class Transcript(EdgeMessage):
    type: Literal["conversation.item.input_audio_transcription.completed"]
    transcript: Text
    understood: bool = True


class Response(EdgeMessage):
    id: Name
    status: Name = "completed"


class ResponseCreated(EdgeMessage):
    type: Literal["response.created"]
    response: Response


class AgentDelta(EdgeMessage):
    type: Literal["response.output_audio_transcript.delta"]
    response_id: Name
    delta: Text


class AgentTranscript(EdgeMessage):
    type: Literal["response.output_audio_transcript.done"]
    response_id: Name
    transcript: Text


class ResponseDone(EdgeMessage):
    type: Literal["response.done"]
    response: Response


class ToolCall(EdgeMessage):
    type: Literal["response.function_call_arguments.done"]
    call_id: Name
    name: Name
    arguments: Text


class ToolResult(EdgeMessage):
    type: Literal["inland.tool.result"]
    call_id: Name
    name: Name
    ok: bool
    output: object = None


class TurnTimings(EdgeMessage):
    type: Literal["inland.turn.timings"]
    turn: int
    endpoint: float
    recognise: float
    think: float
    voice: float
    playout: float
    total: float


class Handover(EdgeMessage):
    type: Literal["inland.handover"]
    reason: Name


class CallEnded(EdgeMessage):
    type: Literal["inland.call.ended"]
    reason: Name


class ReplicaPart(EdgeMessage):
    """A part of the conversation as the caller carries it; no ``parts`` means: keep none."""

    type: Literal["inland.replica"]
    number: int
    turn: int
    part: int
    parts: int
    regions: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    data: Annotated[str, Field(max_length=16_384)] = ""


class MoveOrder(EdgeMessage):
    """The region may not have the call any more: go elsewhere with that replica."""

    type: Literal["inland.call.move"]
    number: int


class Fault(EdgeMessage):
    code: Name = "unknown"
    message: Text = ""


class Refusal(EdgeMessage):
    type: Literal["error"]
    error: Fault


EdgeEvent: TypeAlias = (
    SessionCreated
    | StateChanged
    | PartialTranscript
    | Transcript
    | ResponseCreated
    | AgentDelta
    | AgentTranscript
    | ResponseDone
    | ToolCall
    | ToolResult
    | TurnTimings
    | Handover
    | CallEnded
    | ReplicaPart
    | MoveOrder
    | Refusal
)

_ADAPTER: TypeAdapter[EdgeEvent] = TypeAdapter(Annotated[EdgeEvent, Field(discriminator="type")])


class EventError(Exception):
    """An event whose type is known and whose fields are not what the protocol says."""


def parse_event(message: Mapping[str, JsonValue]) -> EdgeEvent | None:
    """The event, or None when it is one that a caller does not need.

    Raises :class:`EventError` that names the first wrong field.
    """
    try:
        return _ADAPTER.validate_python(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            return None
        where = ".".join(str(part) for part in first["loc"])
        raise EventError(f"{where}: {first['msg']}") from None
