"""How an agent gives its caller to a person, as its file says it."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from edge.dialog.slots.base import Phrase, Sentence, Strict
from edge.events import HandoverTarget, TransferKind

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
"""E.164: a plus sign and 7 to 15 digits."""
_URI = re.compile(
    r"sips?:([A-Za-z0-9_.!~*'()&=+$,%-]{1,128}@)?[A-Za-z0-9.:\[\]-]{1,255}(;[\x21-\x7e]*)?"
)
"""As much of RFC 3261 section 19.1 as an agent file needs: no password, no headers."""
_NOT_IN_URI = frozenset('<>"?')
MAX_TARGET = 512


class Escalation(Strict):
    """A person, on request."""

    words: tuple[Phrase, ...] = Field(
        default=("a person", "a human", "an operator", "someone"), min_length=1, max_length=12
    )
    """What follows "talk to"; each alone is enough too."""
    say: Sentence = "I am putting you through to a person."
    to: str | None = None
    """Where the person is: ``+4969…`` or ``sip:…``. Without it the call ends, and somebody who
    follows its events takes over."""
    kind: TransferKind = "blind"
    announce: Sentence | None = None
    """Said last, only on a line that can be transferred: "please hold the line"."""
    failed: Sentence = "I could not reach a colleague."
    """Said when the transfer failed, before the pending question."""

    @field_validator("to")
    @classmethod
    def _reachable(cls, to: str | None) -> str | None:
        if to is None or _NUMBER.fullmatch(to):
            return to
        if len(to) <= MAX_TARGET and _URI.fullmatch(to) and not set(to) & _NOT_IN_URI:
            return to
        raise ValueError(
            'neither a number nor an address: write "+4969123456" (plus, country, number, no '
            'spaces) or "sip:desk@pbx.example"'
        )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        idle = [key for key in ("kind", "announce", "failed") if key in self.model_fields_set]
        if self.to is None and idle:
            raise ValueError(f"{idle[0]} does nothing without to: add to, or remove {idle[0]}")
        return self

    @property
    def target(self) -> HandoverTarget | None:
        """Where to, for whoever can transfer; None when the file names nobody."""
        return None if self.to is None else HandoverTarget(self.to, self.kind, self.announce or "")
