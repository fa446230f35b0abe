"""Follows a call by its events: who said what, whether the agent has finished, why it ended.

Sans-IO: events and the time go in, records come out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import assert_never

from edge.events import JsonValue
from inland.caller.edge_events import (
    AgentDelta,
    AgentTranscript,
    CallEnded,
    EdgeEvent,
    EventError,
    Handover,
    MoveOrder,
    PartialTranscript,
    Refusal,
    ReplicaPart,
    ResponseCreated,
    ResponseDone,
    SessionCreated,
    StateChanged,
    ToolCall,
    ToolResult,
    Transcript,
    TurnTimings,
    parse_event,
)
from inland.caller.records import (
    AgentSaid,
    CallerHeard,
    HandedOver,
    Note,
    PartialHeard,
    Record,
    Timings,
    Tool,
)
from inland.caller.replica import ReplicaKeeper


class Conversation:
    """What is known of one call. ``now`` is seconds since the call began."""

    def __init__(self) -> None:
        self.session: SessionCreated | None = None
        self.state = ""
        """The last ``inland.state``."""
        self.state_since = 0.0
        self.words = ""
        """What the agent said since the caller's last move."""
        self.answers = 0
        """Answers of the agent that are done, since the caller's last move."""
        self.misheard = False
        """Whether the edge says it did not understand the caller's last move."""
        self.utterances = 0
        """Utterances of the caller that the edge has put words to, in the whole session."""
        self.ended: str | None = None
        self.replicas = ReplicaKeeper()
        self.move: int | None = None
        """The replica that the edge told the caller to go elsewhere with, by its number."""
        self._texts: dict[str, str] = {}
        self._stale: set[str] = set()
        self._calls: dict[str, ToolCall] = {}

    def moved(self) -> None:
        """The caller says something now: what the agent said before is history.

        An answer that is still under way (a barge-in will cut it off) counts as said before.
        """
        self._stale.update(self._texts)
        self.words = ""
        self.answers = 0
        self.misheard = False

    def new_leg(self) -> None:
        """Another leg takes over: what was under way on the old one is void."""
        self.session = None
        self.state = ""
        self.ended = None
        self.move = None
        self.replicas.new_leg()
        self._texts.clear()
        self._stale.clear()
        self._calls.clear()

    def feed(self, message: Mapping[str, JsonValue], now: float) -> tuple[Record, ...]:
        """Take one event. Never raises: an event that breaks the protocol becomes a note."""
        try:
            event = parse_event(message)
        except EventError as error:
            return (Note(now, f"the edge sent a wrong event: {error}"),)
        return () if event is None else self._take(event, now)

    def _take(self, event: EdgeEvent, now: float) -> tuple[Record, ...]:
        match event:
            case SessionCreated():
                self.session = event
                self.utterances = sum(1 for turn in event.inland.turns if turn.caller)
            case StateChanged(state=state):
                self.state, self.state_since = state, now
            case PartialTranscript(text=text):
                return (PartialHeard(now, text),) if text else ()
            case Transcript(transcript=text, understood=understood):
                self.misheard = not understood
                self.utterances += bool(text)
                return (CallerHeard(now, text, understood),)
            case ResponseCreated(response=response):
                self._texts[response.id] = ""
            case AgentDelta() | AgentTranscript() | ResponseDone():
                return self._speech(event, now)
            case ToolCall():
                self._calls[event.call_id] = event
            case ToolResult():
                return (self._tool(event, now),)
            case TurnTimings():
                return (_timings(event, now),)
            case Handover(reason=reason):
                return (HandedOver(now, reason),)
            case CallEnded(reason=reason):
                self.ended = reason
            case ReplicaPart():
                self.replicas.feed(event)
            case MoveOrder(number=number):
                self.move = number
            case Refusal(error=fault):
                return (Note(now, f"the edge refused an event: {fault.code}: {fault.message}"),)
            case _:
                assert_never(event)
        return ()

    def _speech(
        self, event: AgentDelta | AgentTranscript | ResponseDone, now: float
    ) -> tuple[Record, ...]:
        match event:
            case AgentDelta(response_id=response, delta=delta):
                self._texts[response] = self._texts.get(response, "") + delta
                return ()
            case AgentTranscript(response_id=response, transcript=text):
                self._texts[response] = text
                return ()
            case ResponseDone(response=done):
                text = " ".join(self._texts.pop(done.id, "").split())
                if done.id in self._stale:
                    self._stale.discard(done.id)
                else:
                    self.answers += 1
                    self.words = f"{self.words} {text}".strip()
                interrupted = done.status == "cancelled"
                return (AgentSaid(now, text, interrupted),) if text or interrupted else ()

    def _tool(self, event: ToolResult, now: float) -> Record:
        call = self._calls.pop(event.call_id, None)
        arguments: JsonValue = None
        if call is not None:
            try:
                arguments = json.loads(call.arguments)
            except ValueError:
                arguments = call.arguments
        output: JsonValue = json.loads(json.dumps(event.output, default=str))
        return Tool(now, event.name, arguments, event.ok, output)


def _timings(event: TurnTimings, now: float) -> Timings:
    return Timings(
        now,
        event.turn,
        event.endpoint,
        event.recognise,
        event.think,
        event.voice,
        event.playout,
        event.total,
    )
