"""Decides what the caller does next. Pure: a view of the call goes in, a move and why comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from inland.caller.script import BargeIn, HangUp, Line, Pause, Rule, Script

QUIET = 0.25
"""Seconds without an audible frame after which the agent is held to have finished."""
SETTLED = 0.2
"""Seconds the edge must have been listening: between two answers it listens for an instant."""
PATIENCE = 12.0
"""Seconds of silence after which the caller goes on although the agent has not answered."""
FAREWELL = 1.0
"""Seconds the agent has, after the last line, to end the call itself."""


@dataclass(frozen=True, slots=True)
class AgentView:
    """The agent as the caller perceives it; times are seconds, counted back from now."""

    listening_for: float | None
    """Since when the edge listens; None while it does anything else."""
    answered: bool
    """Whether it has finished an answer since the caller's last move."""
    quiet_for: float
    """Since its last audible frame, or since the call began."""
    speaking_for: float | None
    """Since the first audible frame after the caller's last move; None before it."""
    words: str
    """What it said since the caller's last move."""
    misheard: bool
    """Whether it says that it did not understand the caller's last move."""

    @property
    def finished(self) -> bool:
        """Whether it is the caller's turn."""
        settled = self.listening_for is not None and self.listening_for >= SETTLED
        return settled and self.answered and self.quiet_for >= QUIET

    @property
    def mute(self) -> bool:
        """Whether waiting any longer is pointless."""
        patient = self.listening_for is not None and self.listening_for >= PATIENCE
        return patient and self.quiet_for >= PATIENCE


@dataclass(frozen=True, slots=True)
class Move:
    """Do this now."""

    line: Line
    reason: str


@dataclass(frozen=True, slots=True)
class Stay:
    """Not yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The script has nothing more to say."""

    reason: str


Decision: TypeAlias = Move | Stay | Finished


class Player:
    """Walks through one script. Ask ``decide`` often; it remembers the moves it asked for."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._next = 0
        self._used: set[int] = set()
        self._pause_until: float | None = None
        self._last: Line | None = None
        self._again = 0
        self._redo = False
        self.repeats = 0
        """How many moves were repeats of a line that was not understood."""

    @property
    def lines_left(self) -> int:
        """Lines that were not said yet; an unused rule is none."""
        return len(self._script.lines) - self._next

    def lost(self) -> None:
        """The edge died before it kept the last move: it is made again once the agent is ready."""
        self._redo = self._last is not None

    def decide(self, view: AgentView, now: float) -> Decision:
        """What to do at ``now`` (seconds, any origin)."""
        barge = self._barge(view)
        if barge is not None:
            return barge
        if not view.finished and not view.mute:
            return Stay("the agent has not finished")
        if self._pause_until is not None:
            if now < self._pause_until:
                return Stay("a pause of the script")
            self._pause_until = None
        return self._turn(view, now)

    def _turn(self, view: AgentView, now: float) -> Decision:
        if self._redo and self._last is not None:
            self._redo = False
            return Move(self._last, "said again after the reconnect")
        if view.misheard and self._last is not None and self._again < self._script.repeats:
            self._again += 1
            self.repeats += 1
            return Move(self._last, "said again: it was not understood")
        rule = self._matching(view.words)
        if rule is not None:
            return self._move(rule.answer, f"rule {rule.pattern.pattern}", now)
        if self.lines_left:
            line = self._script.lines[self._next]
            self._next += 1
            return self._move(line, "next line" if view.finished else "the agent is silent", now)
        if (view.listening_for or 0.0) < FAREWELL:
            return Stay("the agent may end the call itself")
        return Finished("everything is said")

    def _barge(self, view: AgentView) -> Decision | None:
        """A barge-in does not wait for its turn, only for the agent to have begun."""
        if not self.lines_left or self._redo or self._pause_until is not None:
            return None
        line = self._script.lines[self._next]
        if not isinstance(line, BargeIn):
            return None
        speaking = view.speaking_for is not None and view.quiet_for < QUIET
        if speaking and view.speaking_for is not None and view.speaking_for >= line.after:
            self._next += 1
            self._remember(line)
            return Move(line, "barge-in")
        return None

    def _matching(self, words: str) -> Rule | None:
        for number, rule in enumerate(self._script.rules):
            if number not in self._used and rule.pattern.search(words):
                if not rule.repeat:
                    self._used.add(number)
                return rule
        return None

    def _move(self, line: Line, reason: str, now: float) -> Decision:
        if isinstance(line, Pause):
            self._pause_until = now + line.seconds
            return Stay("a pause of the script")
        if isinstance(line, HangUp):
            self._next = len(self._script.lines)
            return Finished("the script hangs up")
        self._remember(line)
        return Move(line, reason)

    def _remember(self, line: Line) -> None:
        self._last = line
        self._again = 0
