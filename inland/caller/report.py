"""What is left of a call when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.contract import Candidate
from edge.events import JsonValue
from inland.caller.meter import percentile
from inland.caller.outcome import outcome
from inland.caller.peer import PeerStats
from inland.caller.records import (
    AgentSaid,
    CallerHeard,
    Connected,
    Ended,
    Reconnected,
    Record,
    Timings,
    Tool,
    Wire,
)


@dataclass(frozen=True, slots=True)
class CallReport:
    """A finished call, for tests and benches.

    ``region`` and ``node`` served last. ``wire_latencies_ms`` are the answers measured on the
    caller's side; ``events`` every JSON event of the edge, in order, over all legs.
    """

    session_id: str
    region: str
    node: str
    candidates: tuple[Candidate, ...]
    turns: tuple[CallerHeard | AgentSaid, ...]
    """Who said what, in order, as the edge told it."""
    tools: tuple[Tool, ...]
    timings: tuple[Timings, ...]
    wire_latencies_ms: tuple[float, ...]
    barge_in_ms: tuple[float, ...]
    reconnects: tuple[Reconnected, ...]
    connect_ms: tuple[float, ...]
    """Offer until media, one for each leg."""
    end_reason: str
    exit_status: int
    why: str
    script_finished: bool
    ended: Ended
    records: tuple[Record, ...]
    events: tuple[Mapping[str, JsonValue], ...]

    @property
    def agent_text(self) -> str:
        """Everything the agent said, answers separated by newlines."""
        return "\n".join(turn.text for turn in self.turns if isinstance(turn, AgentSaid))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the session knows at the end and the records do not say."""

    t: float
    reason: str
    session_id: str
    region: str
    node: str
    candidates: tuple[Candidate, ...]
    lines_left: int
    repeats: int
    stats: PeerStats
    gaps_ms: tuple[float, ...]
    records: tuple[Record, ...]
    events: tuple[Mapping[str, JsonValue], ...]


def summarise(facts: Facts) -> CallReport:
    """The report; its ``records`` end with the ``end`` record."""
    result = outcome(facts.reason, lines_left=facts.lines_left)
    records = facts.records
    wires = tuple(r.ms for r in records if isinstance(r, Wire) and r.kind == "answer")
    turns = tuple(r for r in records if isinstance(r, CallerHeard | AgentSaid))
    tools = tuple(r for r in records if isinstance(r, Tool))
    reconnects = tuple(r for r in records if isinstance(r, Reconnected))
    ended = Ended(
        t=facts.t,
        reason=facts.reason,
        exit_status=result.exit_status,
        why=result.why,
        session_id=facts.session_id,
        region=facts.region,
        node=facts.node,
        script_finished=not facts.lines_left,
        lines_left=facts.lines_left,
        caller_turns=sum(isinstance(turn, CallerHeard) for turn in turns),
        agent_turns=sum(isinstance(turn, AgentSaid) for turn in turns),
        tools=len(tools),
        repeats=facts.repeats,
        reconnects=len(reconnects),
        wire_p50_ms=percentile(wires, 0.5),
        wire_p95_ms=percentile(wires, 0.95),
        wire_ms=wires,
        packets=facts.stats.packets,
        lost=facts.stats.lost,
        gap_p50_ms=percentile(facts.gaps_ms, 0.5),
        gap_p99_ms=percentile(facts.gaps_ms, 0.99),
        gap_max_ms=max(facts.gaps_ms, default=None),
    )
    return CallReport(
        session_id=facts.session_id,
        region=facts.region,
        node=facts.node,
        candidates=facts.candidates,
        turns=turns,
        tools=tools,
        timings=tuple(r for r in records if isinstance(r, Timings)),
        wire_latencies_ms=wires,
        barge_in_ms=tuple(r.ms for r in records if isinstance(r, Wire) and r.kind == "silence"),
        reconnects=reconnects,
        connect_ms=tuple(r.connect_ms for r in records if isinstance(r, Connected)),
        end_reason=facts.reason,
        exit_status=result.exit_status,
        why=result.why,
        script_finished=not facts.lines_left,
        ended=ended,
        records=(*records, ended),
        events=facts.events,
    )
