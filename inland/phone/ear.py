"""Whose turn it is, told by ear: a telephone shows neither words nor states."""

from __future__ import annotations

from inland.caller.player import SETTLED, AgentView

SILENCE = 0.8
"""Seconds of silence after which the agent is held to have finished; shorter ones are between its
sentences."""
ANSWER = 0.1
"""Seconds that must have been audible for it to be an answer: a click is none."""


class Ear:
    """Times are seconds of one clock; the call was answered ``at``."""

    def __init__(self, at: float) -> None:
        self._since = at
        """When it became the agent's turn, or it was last heard."""
        self._first: float | None = None
        self._loud = 0.0

    def heard(self, at: float, seconds: float) -> None:
        """``seconds`` of audible sound."""
        if self._first is None:
            self._first = at
        self._loud += seconds
        self._since = at

    def moved(self, at: float) -> None:
        """The caller does something, or has just said its last word: what is heard from now on
        answers it."""
        self._first = None
        self._loud = 0.0
        self._since = at

    def silence_begins(self, at: float) -> None:
        """Silence counts from here."""
        self._since = at

    def view(self, now: float) -> AgentView:
        """The agent as the player wants it. It is held to listen once it has been silent for long
        enough."""
        quiet = now - self._since
        listening = quiet - (SILENCE - SETTLED)
        return AgentView(
            listening_for=listening if listening >= 0 else None,
            answered=self._loud >= ANSWER,
            quiet_for=quiet,
            speaking_for=None if self._first is None else now - self._first,
            words="",
            misheard=False,
        )
