"""From an utterance to its meaning: the whole sentence, else a part of it, else free text."""

from __future__ import annotations

from edge.dialog.normalise import normalise
from edge.dialog.slots import DigitsSlot, Moment, NameSlot, Reading, Slot
from edge.events import Heard
from edge.grammar import Grammar, Match


def understand(
    grammar: Grammar, heard: Heard, asked: Slot | None, moment: Moment
) -> Match | Reading | None:
    """What ``heard`` means where ``asked`` is the pending slot; None when it means nothing.

    A name in free text can contain anything, so there only commands are spotted in it.
    """
    if not heard.understood:
        return None
    words = normalise(heard.text)
    match = grammar.parse(words)
    if match is None and asked is not None and asked.digit_by_digit:
        match = grammar.parse(normalise(heard.text, digit_by_digit=True))
    if match is not None:
        return match
    part = grammar.spot(words)
    if isinstance(asked, NameSlot | DigitsSlot):
        if part is not None and len(part.words) > 1 and _is_command(part):
            return part
        return asked.read_free(heard.text, moment)
    if part is None or (part.first("answer") is not None and part.words[0] != words[0]):
        return None
    return part


def _is_command(match: Match) -> bool:
    return any(key in ("command", "change") for key, _ in match.tags)
