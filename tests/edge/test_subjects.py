"""A person is marked and asked for in one form, however the number or the name was written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.dialog.agent import AgentSpec
from edge.internal import Admitted
from edge.session.subjects import Subject, SubjectIndex
from edge.subjects import NoSubject, marker_of, read_subject

INDEX = SubjectIndex(b"s" * 32)
BERLIN = "+493012345678"
GERMAN = cast(AgentSpec, SimpleNamespace(subject_country="DE"))
NOWHERE = cast(AgentSpec, SimpleNamespace(subject_country=None))


def caller(number: str | None = None) -> Admitted:
    return Admitted(
        session_id="s_" + "a" * 22,
        tenant="clinic",
        agent="reception",
        jurisdictions=("eea",),
        policy="p",
        regions={},
        resumed=False,
        number=number,
    )


def names(number: str | None, spec: AgentSpec, **slots: str) -> tuple[str, ...]:
    state: Any = {"subjects": [[slot, value] for slot, value in slots.items()]}
    return marker_of(INDEX, caller(number), spec).names(state)


def asked(text: str, kind: str = "phone", country: str | None = None) -> str:
    return INDEX.name("clinic", read_subject(text, kind, country))


def test_the_number_on_the_line_is_what_an_operator_asks_for() -> None:
    assert names(BERLIN, NOWHERE) == (asked(BERLIN),)
    assert names(None, NOWHERE) == ()


@pytest.mark.parametrize("written", ["03012345678", "030 1234 5678", "0049 30 12345678", BERLIN])
def test_a_number_that_was_said_is_the_same_person_as_the_one_on_the_line(written: str) -> None:
    assert names(None, GERMAN, phone=written) == (asked(BERLIN),)
    assert names(BERLIN, GERMAN, phone=written) == (asked(BERLIN),), "named once"


@pytest.mark.parametrize(
    ("written", "country"),
    [
        ("+49 30 1234-5678", None),
        (" +49 (30) 12345678 ", None),
        ("030/12345678", "DE"),
        ("004930 12345678", "DE"),
        (BERLIN, "IN"),
    ],
)
def test_an_operator_may_write_a_number_as_people_do(written: str, country: str | None) -> None:
    assert asked(written, country=country) == asked(BERLIN)


def test_other_slots_are_told_apart_by_their_name_and_not_by_case_width_or_spaces() -> None:
    marked = names(None, NOWHERE, customer="Jane  SMITH", order="jane smith")
    assert marked == (asked("jane smith", "customer"), asked("\uff2aane Smith ", "order"))
    assert len({*marked}) == 2


@pytest.mark.parametrize(
    ("text", "kind", "country", "words"),
    [
        ("03012345678", "phone", None, "with its plus.*or say --country"),
        ("+49301234567890123", "phone", None, "is no telephone number"),
        ("Jane", "phone", "DE", "is no telephone number"),
        ("", "customer", None, "is 1 to 200"),
        ("   ", "customer", None, "is 1 to 200"),
        ("x" * 201, "customer", None, "is 1 to 200"),
        ("J\udcfcrgen", "customer", None, "is not UTF-8"),
    ],
)
def test_what_tells_no_person_is_said_to(
    text: str, kind: str, country: str | None, words: str
) -> None:
    with pytest.raises(NoSubject, match=words):
        read_subject(text, kind, country)


def test_a_number_is_not_in_what_a_caller_looks_like_in_a_log() -> None:
    assert BERLIN not in repr(caller(BERLIN))
    assert BERLIN not in repr(Subject("phone", BERLIN))
    assert BERLIN not in repr(marker_of(INDEX, caller(BERLIN), NOWHERE))
