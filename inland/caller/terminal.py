"""A call as people read it: one line for each thing that happened, at most 100 columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from typing import assert_never

from control_plane.contract import RegionVerdict
from edge.events import JsonValue
from inland.caller.errors import RefusedError
from inland.caller.figures import figures
from inland.caller.records import (
    AgentSaid,
    CallerHeard,
    Connected,
    Ended,
    HandedOver,
    Note,
    PartialHeard,
    Placed,
    Reconnected,
    Record,
    Said,
    Timings,
    Tool,
    Wire,
)
from inland.caller.verdicts import grouped

WIDTH = 100
_TIME = 7
_LABEL = 11
_INDENT = " " * (_TIME + 1 + _LABEL)
_COLOURS = {
    "agent": "36",
    "caller": "32",
    "tool": "35",
    "placed": "1",
    "refused": "31",
    "reconnect": "33",
    "note": "33",
    "ended": "1",
}
_DIM = "2"
_HOW = {"barge": "interrupts", "typed": "types", "file": "plays", "keyed": "presses"}


class Terminal:
    """Prints records with ``write``, which gets whole lines. ``colour`` allows ANSI sequences."""

    def __init__(self, write: Callable[[str], None], *, colour: bool) -> None:
        self._write = write
        self._colour = colour
        self._said = ""

    def show(self, record: Record) -> None:
        """Print one record; some say nothing to people."""
        match record:
            case Placed():
                self._placed(record)
            case Connected():
                self._connected(record)
            case Said():
                self._said = record.text
                detail = _HOW.get(record.how)
                if detail is not None:
                    self._line(record.t, "caller", f"({detail}: {record.text})", dim=True)
                elif record.reason.startswith("said again"):
                    self._line(record.t, "caller", f"({record.reason})", dim=True)
            case PartialHeard():
                pass
            case CallerHeard():
                self._heard(record)
            case AgentSaid():
                self._line(record.t, "agent", record.text + (" …" if record.interrupted else ""))
            case Tool():
                self._tool(record)
            case Timings():
                self._timings(record)
            case Wire():
                what = "answer" if record.kind == "answer" else "agent silenced"
                self._line(None, "", f"{what} on the wire after {record.ms:.0f} ms", dim=True)
            case HandedOver():
                self._line(record.t, "handover", f"to a person: {record.reason}")
            case Reconnected():
                self._reconnected(record)
            case Note():
                self._line(record.t, "note", record.text)
            case Ended():
                self._ended(record)
            case _:
                assert_never(record)

    def refused(self, error: RefusedError) -> None:
        """Print why nobody takes the call, and which regions each reason is about."""
        self._line(None, "refused", f"{error.detail} ({error.code})")
        for allowed, label in ((True, "may serve"), (False, "not")):
            for names, reason in grouped(v for v in error.verdicts if v.allowed is allowed):
                self._line(None, label, f"{names}: {reason}", dim=not allowed)

    # --- one record each ---------------------------------------------------------------------

    def _placed(self, record: Placed) -> None:
        for number, candidate in enumerate(record.candidates):
            where = f"{candidate['region']} · {candidate['node']}: {candidate['reason']}"
            self._line(record.t if number == 0 else None, "placed" if number == 0 else "or", where)
        verdicts = (RegionVerdict.model_validate(verdict) for verdict in record.regions)
        for names, reason in grouped(verdict for verdict in verdicts if not verdict.allowed):
            self._line(None, "refused", f"{names}: {reason}")
        law = ", ".join(record.jurisdictions)
        self._line(None, "", f"law {law}, policy {record.policy}", dim=True)

    def _connected(self, record: Connected) -> None:
        text = f"{record.region} · {record.node} in {record.connect_ms:.0f} ms, {record.codec}"
        self._line(record.t, "resumed" if record.resumed else "connected", text)

    def _heard(self, record: CallerHeard) -> None:
        text = record.text or "(nothing)"
        if not record.understood:
            text += "  (not understood)"
        self._line(record.t, "caller", text)
        if self._said and _plain(self._said) != _plain(record.text):
            self._line(None, "", f"said: {self._said}", dim=True)
        self._said = ""

    def _tool(self, record: Tool) -> None:
        # A tool that a dead edge had called comes back without the call.
        arguments = "" if record.arguments is None else _compact(record.arguments)
        verdict = "→" if record.ok else "failed →"
        text = f"{record.name}{arguments} {verdict} {_compact(record.output)}"
        self._line(record.t, "tool", text)

    def _timings(self, record: Timings) -> None:
        stages = ("endpoint", "recognise", "think", "voice", "playout")
        parts = " + ".join(f"{stage} {getattr(record, stage):.0f}" for stage in stages)
        self._line(None, "", f"{record.total:.0f} ms = {parts}", dim=True)

    def _reconnected(self, record: Reconnected) -> None:
        text = (
            f"{record.why}; {record.from_node} → {record.to_node} after {record.silent_ms:.0f} ms, "
            f"{record.turns} turns kept"
        )
        if record.carried_from is not None:
            text += f", carried from {record.carried_from}"
        self._line(record.t, "reconnect", text)

    def _ended(self, record: Ended) -> None:
        self._line(record.t, "ended", f"{record.reason}: {record.why}")
        answers = f"{record.caller_turns} caller and {record.agent_turns} agent turns"
        tools = f", {record.tools} tool calls" if record.tools else ""
        self._line(None, "", f"{answers}{tools}, session {record.session_id}", dim=True)
        for line in figures(record):
            self._line(None, "", line, dim=True)

    # --- lines -------------------------------------------------------------------------------

    def _line(self, t: float | None, label: str, text: str, *, dim: bool = False) -> None:
        time = "" if t is None else f"{t:.1f}"
        lines = textwrap.wrap(
            _printable(text), WIDTH - len(_INDENT), break_long_words=True, break_on_hyphens=False
        ) or [""]
        head = f"{time:>{_TIME}} {self._paint(f'{label:<{_LABEL}}', _COLOURS.get(label))}"
        for number, line in enumerate(lines):
            shown = self._paint(line, _DIM if dim else None)
            self._write((head if number == 0 else _INDENT) + shown)

    def _paint(self, text: str, code: str | None) -> str:
        if not self._colour or code is None or not text.strip():
            return text
        return f"\x1b[{code}m{text}\x1b[0m"


def _printable(text: str) -> str:
    """The text without control characters: an edge's words do not steer this terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _plain(text: str) -> str:
    """Words alone, for comparing what was said with what was heard."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _compact(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if len(text) <= 300 else text[:299] + "…"
