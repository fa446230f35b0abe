"""What every kind of slot has, and what it promises to the flow."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from edge.events import JsonValue
from edge.grammar import Alt, Match, Node, Opt, Seq, Tag, Words

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
"""A name that templates can use: ``{date}``."""
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]
"""Something the agent says; short is better."""
Phrase = Annotated[str, StringConstraints(pattern=r"^[a-z']{1,30}( [a-z']{1,30}){0,11}$")]
"""Something the caller says: lower-case words and apostrophes, single spaces, no digits."""


class Strict(BaseModel):
    """Immutable, refuses unknown keys, converts nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a slot is read against: the day in the caller's zone, and a part of day said before."""

    today: dt.date
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """The caller's words as a JSON value."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Rejected:
    """The words are clear and the value is impossible; ``say`` tells the caller why."""

    say: str


Reading: TypeAlias = Understood | Rejected


class SlotBase(Strict):
    """One thing the agent must learn. Subclasses are pure: no clock, no state."""

    id: Key
    label: Phrase
    """How the caller and the agent call it: ``date``. Callers say "change the date"."""
    ask: Sentence
    examples: tuple[Phrase, ...] = Field(default=(), max_length=6)
    """Answers that the agent suggests after a misunderstanding; each must be in the grammar."""

    @property
    @abstractmethod
    def core(self) -> Node:
        """The answers, tagged, without the words that may lead up to them."""

    @property
    @abstractmethod
    def leads(self) -> tuple[str, ...]:
        """Words that may come before an answer: ``at`` ten o'clock."""

    @property
    def node(self) -> Node:
        """The answers to the slot's own question."""
        return Seq((Opt(one_of(self.leads)), self.core)) if self.leads else self.core

    @property
    def aside(self) -> Node:
        """The answers as part of another sentence.

        The lead is needed there: a recogniser would find a bare "eight" in any noise.
        """
        return Seq((one_of(self.leads), self.core))

    @property
    def offhand(self) -> bool:
        """Whether it may be said together with something else: "book it for tomorrow at ten"."""
        return False

    @property
    def digit_by_digit(self) -> bool:
        """Whether figures in typed text are single digits here."""
        return False

    @property
    def keys(self) -> tuple[int, int]:
        """Fewest and most keys of a telephone that are an answer; ``(0, 0)``: keys are none."""
        return (0, 0)

    @property
    @abstractmethod
    def suggestions(self) -> tuple[str, ...]:
        """What to suggest: ``examples`` or the kind's own."""

    @abstractmethod
    def read(self, match: Match, moment: Moment) -> Reading | None:
        """The value in ``match``, or None when it does not speak of this slot."""

    def read_free(self, text: str, moment: Moment) -> Reading | None:
        """The value in free text that the grammar does not know, or None."""
        return None

    @abstractmethod
    def fits(self, value: JsonValue) -> bool:
        """Whether ``value`` is of this slot's type: restored state is not trusted."""

    @abstractmethod
    def spoken(self, value: JsonValue) -> str:
        """The value as the agent says it."""


def one_of(phrases: Sequence[str]) -> Node:
    """Any one of the phrases."""
    return Words(phrases[0]) if len(phrases) == 1 else Alt(tuple(Words(p) for p in phrases))


def tagged(phrases: Sequence[str], key: str, value: str) -> Node:
    """Any one of the phrases, meaning ``key`` = ``value``."""
    return Tag(one_of(phrases), key, value)
