"""One of a few things, and yes or no."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from edge.dialog.slots.base import (
    Moment,
    Phrase,
    Reading,
    Sentence,
    SlotBase,
    Strict,
    Understood,
    tagged,
)
from edge.events import JsonValue
from edge.grammar import Alt, Match, Node

YES = ("yes", "yeah", "yep", "sure", "okay", "correct", "that's right", "that is correct")
NO = ("no", "nope", "that's wrong", "that is wrong", "not quite")


class Choice(Strict):
    """One option: the value that tools get, how the agent says it, what callers say."""

    value: str = Field(min_length=1, max_length=64)
    say: Sentence
    phrases: tuple[Phrase, ...] = Field(min_length=1, max_length=12)


class ChoiceSlot(SlotBase):
    """Its value is the ``value`` of one of the choices."""

    kind: Literal["choice"]
    choices: tuple[Choice, ...] = Field(min_length=2, max_length=30)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        values = Counter(choice.value for choice in self.choices)
        phrases = Counter(phrase for choice in self.choices for phrase in choice.phrases)
        twice = [n for count in (values, phrases) for n, times in count.items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} stands for two choices; each needs words of its own")
        return self

    @property
    def core(self) -> Node:
        return Alt(tuple(tagged(c.phrases, f"choice {self.id}", c.value) for c in self.choices))

    @property
    def leads(self) -> tuple[str, ...]:
        return ("the", "a", "with the", "with a", "for the")

    @property
    def offhand(self) -> bool:
        return True

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or tuple(choice.phrases[0] for choice in self.choices[:3])

    def read(self, match: Match, moment: Moment) -> Reading | None:
        value = match.first(f"choice {self.id}")
        return None if value is None else Understood(value)

    def fits(self, value: JsonValue) -> bool:
        return any(choice.value == value for choice in self.choices)

    def spoken(self, value: JsonValue) -> str:
        return next((c.say for c in self.choices if c.value == value), str(value))


class YesNoSlot(SlotBase):
    """Its value is true or false."""

    kind: Literal["yes_no"]

    @property
    def core(self) -> Node:
        return YES_NO

    @property
    def leads(self) -> tuple[str, ...]:
        return ()

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or ("yes", "no")

    def read(self, match: Match, moment: Moment) -> Reading | None:
        answer = match.first("answer")
        return None if answer is None else Understood(answer == "yes")

    def fits(self, value: JsonValue) -> bool:
        return isinstance(value, bool)

    def spoken(self, value: JsonValue) -> str:
        return "yes" if value else "no"


YES_NO: Node = Alt((tagged(YES, "answer", "yes"), tagged(NO, "answer", "no")))
