"""Figures said one by one: "four five nine two", "oh", "double five"."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from edge.dialog.normalise import UNITS, normalise
from edge.dialog.slots.base import Moment, Reading, Rejected, SlotBase, Understood, tagged
from edge.events import JsonValue
from edge.grammar import Alt, Match, Node, Repeat, Seq, Words

MAX_WITH_DOUBLES = 10
"""Longer numbers are heard without "double": the grammar grows with the square of the length."""
_TIMES = {"double": 2, "triple": 3}
_FIGURES = {word: str(n) for n, word in enumerate(UNITS)} | {"oh": "0", "o": "0"}


class DigitsSlot(SlotBase):
    """Its value is a string of ``least`` to ``most`` digits."""

    kind: Literal["digits"]
    least: int = Field(ge=1, le=20)
    most: int = Field(ge=1, le=20)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least > self.most:
            raise ValueError("least must not be greater than most")
        return self

    @property
    def core(self) -> Node:
        singles = self._singles(self.least)
        if self.least >= 2 and self.most <= MAX_WITH_DOUBLES:
            return Alt((singles, self._with_double(self.least)))
        return singles

    @property
    def leads(self) -> tuple[str, ...]:
        return ("it's", "it is", "my number is")

    @property
    def digit_by_digit(self) -> bool:
        return True

    @property
    def keys(self) -> tuple[int, int]:
        return (self.least, self.most)

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or (" ".join(UNITS[1 + n % 9] for n in range(self.least)),)

    def read(self, match: Match, moment: Moment) -> Reading | None:
        figures = "".join(match.all("figure"))
        return self._checked(figures) if figures else None

    def read_free(self, text: str, moment: Moment) -> Reading | None:
        """Any figures in free text, with several doubles and triples."""
        figures, times = "", 1
        for word in normalise(text, digit_by_digit=True):
            if word in _FIGURES:
                figures += _FIGURES[word] * times
            times = _TIMES.get(word, 1)
        return self._checked(figures) if figures else None

    def fits(self, value: JsonValue) -> bool:
        return isinstance(value, str) and value.isdecimal() and self._enough(value)

    def spoken(self, value: JsonValue) -> str:
        return " ".join(str(value))

    def _enough(self, figures: str) -> bool:
        return self.least <= len(figures) <= self.most

    def _checked(self, figures: str) -> Reading:
        if self._enough(figures):
            return Understood(figures)
        needed = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return Rejected(f"I heard {' '.join(figures[:24])}. I need {needed} digits.")

    def _singles(self, least: int) -> Node:
        """``least`` to ``most`` figures (shifted when a double took two of them)."""
        return Repeat(_FIGURE, least, least + self.most - self.least)

    def _with_double(self, least: int) -> Node:
        """Exactly one double at any place: a chain that shares its beginnings."""
        here: Node = _DOUBLE if least == 2 else Seq((_DOUBLE, self._singles(least - 2)))
        if least == 2:
            return here
        return Alt((Seq((_FIGURE, self._with_double(least - 1))), here))


_FIGURE = Alt(
    tuple(
        tagged((word, "oh") if n == 0 else (word,), "figure", str(n))
        for n, word in enumerate(UNITS)
    )
)
_DOUBLE = Alt(
    tuple(
        Seq((Words("double"), tagged((word, "oh") if n == 0 else (word,), "figure", str(n) * 2)))
        for n, word in enumerate(UNITS)
    )
)
