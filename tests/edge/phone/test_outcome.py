"""What the end of a call that we placed is called."""

from __future__ import annotations

import pytest

from edge.phone.outcome import Outcome, outcome_of
from edge.transport.sip.core.events import EndCause, Ended


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, "busy"),
        (600, "busy"),
        (480, "no_answer"),
        (408, "no_answer"),
        (404, "unknown_number"),
        (484, "unknown_number"),
        (603, "refused"),
        (403, "refused"),
        (503, "unreachable"),
        (500, "unreachable"),
    ],
)
def test_a_refusal_has_the_name_of_its_status(status: int, outcome: Outcome) -> None:
    assert outcome_of(Ended("rejected", status), answered=False, rung_out=False) == outcome


def test_our_own_ring_timeout_is_no_answer_whatever_the_far_end_calls_it() -> None:
    assert outcome_of(Ended("cancelled"), answered=False, rung_out=True) == "no_answer"
    assert outcome_of(Ended("rejected", 603), answered=False, rung_out=True) == "no_answer"


def test_a_trunk_that_said_nothing_until_our_ring_timeout_was_not_reached() -> None:
    end = Ended("cancelled")
    assert outcome_of(end, answered=False, rung_out=True, heard=False) == "unreachable"
    assert outcome_of(end, answered=False, rung_out=False, heard=False) == "cancelled"


def test_a_call_taken_back_is_cancelled() -> None:
    assert outcome_of(Ended("cancelled"), answered=False, rung_out=False) == "cancelled"


@pytest.mark.parametrize("cause", ["no_response", "unreachable"])
def test_a_trunk_that_is_silent_is_unreachable(cause: EndCause) -> None:
    assert outcome_of(Ended(cause), answered=False, rung_out=False) == "unreachable"


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("remote_bye", "completed"),
        ("local_bye", "completed"),
        ("replaced", "completed"),
        ("expired", "lost"),
        ("unreachable", "lost"),
        ("failed", "lost"),
        ("no_ack", "lost"),
    ],
)
def test_an_answered_call_completes_unless_its_signalling_failed(
    cause: EndCause, outcome: Outcome
) -> None:
    assert outcome_of(Ended(cause), answered=True, rung_out=False) == outcome
