"""Whom a call is about: the number on its line, and the slots that its agent's file names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import partial

from edge.dialog.agent import PHONE, AgentSpec
from edge.dialog.subjects import MAX_VALUE, subjects_of
from edge.events import JsonValue
from edge.internal import Admitted
from edge.phone.numbers import read_numbers
from edge.session.subjects import Marker, Subject, SubjectIndex


class NoSubject(ValueError):
    """What was written tells no person; the text says what to write."""


def marker_of(index: SubjectIndex, caller: Admitted, spec: AgentSpec) -> Marker:
    """What a call's journal marks its session with."""
    line = () if caller.number is None else (Subject(PHONE, caller.number),)
    return Marker(index, caller.tenant, line, partial(_slots, spec.subject_country))


def read_subject(text: str, kind: str, country: str | None) -> Subject:
    """What an operator asks for, in the one form that calls are marked with.

    ``country`` (ISO 3166-1) is whose way of dialling a number without its plus is in. Raises
    :class:`NoSubject`.
    """
    if len(text) > MAX_VALUE or not _plain(text):
        raise NoSubject(f"is 1 to {MAX_VALUE} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoSubject("is not UTF-8") from error
    if kind != PHONE:
        return Subject(kind, _plain(text))
    if country is None and not text.strip().startswith("+"):
        raise NoSubject("write the number with its plus, +493012345678, or say --country")
    numbers = read_numbers(text.strip(), country)
    if not numbers:
        raise NoSubject("is no telephone number: write it with its plus, +493012345678")
    return Subject(PHONE, numbers[0])


def _slots(country: str | None, state: JsonValue) -> Iterator[Subject]:
    for slot, value in subjects_of(state):
        numbers = read_numbers(value, country) if slot == PHONE else ()
        yield Subject(slot, numbers[0] if numbers else _plain(value))


def _plain(text: str) -> str:
    """Equal for what people take to be the same: width, case and spaces do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
