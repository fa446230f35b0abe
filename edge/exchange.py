"""One exchange of a conversation, and what it needs of the rooms around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from edge.events import Expectation, Heard, JsonValue, ToolCalled, ToolRecord, Turn, TurnTimings


class Ear(Protocol):
    """What a conversation needs of the listener."""

    agent_speaking: bool
    """While True, more is asked of a sound before it counts as the caller's speech."""

    def expect(self, expectation: Expectation) -> None: ...


class Answer(Protocol):
    """What it needs of an answer being spoken (``edge.speech.speaker.Answer``)."""

    on_words: Callable[[str], None]
    on_first_played: Callable[[], None]

    @property
    def heard(self) -> str: ...
    @property
    def complete(self) -> bool: ...
    @property
    def first_audio_at(self) -> float | None: ...
    @property
    def first_played_at(self) -> float | None: ...
    def say(self, text: str) -> None: ...
    def finish(self) -> None: ...
    async def run(self) -> None: ...
    def cut(self) -> None: ...


class Mouth(Protocol):
    """What it needs of the speaker."""

    def begin(self) -> Answer: ...


class Memory(Protocol):
    """What it needs of the journal."""

    async def commit(self, turn: Turn, state: JsonValue) -> None: ...


@dataclass(slots=True)
class Exchange:
    """One thing the caller said (or nothing) and everything the agent does about it."""

    heard: Heard | None
    response_id: str
    answers: list[Answer] = field(default_factory=list)
    playing: asyncio.Task[None] | None = None
    """Plays the newest answer."""
    tools: list[ToolRecord] = field(default_factory=list)
    calling: dict[str, ToolCalled] = field(default_factory=dict)
    first_words_at: float | None = None
    protected: bool = False
    """The words being said, or next to be, may not be interrupted."""
    cut: bool = False
    expectation: Expectation | None = None
    """What to listen for once the answer is audible."""
    remembered: bool = False
    """The caller's part is in the journal."""

    @property
    def spoken(self) -> str:
        """What was heard of the answer so far."""
        return " ".join(answer.heard.strip() for answer in self.answers if answer.heard.strip())

    @property
    def complete(self) -> bool:
        """Whether everything said was heard."""
        return all(answer.complete for answer in self.answers)

    def timings(self, turn: int, answer: Answer) -> TurnTimings | None:
        """Where the time until ``answer`` became audible went; None when nobody had spoken."""
        heard, words_at = self.heard, self.first_words_at
        audio_at, played_at = answer.first_audio_at, answer.first_played_at
        if heard is None or words_at is None or audio_at is None or played_at is None:
            return None
        return TurnTimings(
            turn=turn,
            endpoint=1000 * (heard.decided_at - heard.ended_at),
            recognise=1000 * (heard.recognised_at - heard.decided_at),
            think=1000 * (words_at - heard.recognised_at),
            voice=1000 * (audio_at - words_at),
            playout=1000 * (played_at - audio_at),
        )
