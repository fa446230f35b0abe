"""OPTIONS to a trunk that answers, does not, and answers again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.health import Health, HealthCheck, HealthSettings
from tests.edge.transport.sip.core.far_end import (
    PBX,
    TARGET,
    FarEnd,
    answer,
    refusal,
    silence,
)

SETTINGS = HealthSettings(PBX)


def checked(far: FarEnd, settings: HealthSettings = SETTINGS) -> tuple[HealthCheck, list[Health]]:
    check = HealthCheck(settings, far.means)
    turns: list[Health] = []
    check.on_change = turns.append
    check.start()
    far.settle()
    return check, turns


def test_options_are_sent_every_so_often_each_a_call_of_its_own() -> None:
    far = FarEnd(answer(200))
    checked(far)
    far.advance(290)
    assert 10 <= len(far.asked) <= 11
    assert len({asked.header("call-id") for asked in far.asked}) == len(far.asked)
    first = far.asked[0].request
    assert (first.method, first.uri) == ("OPTIONS", "sip:pbx.example.com")
    assert first.headers.get("contact") == "<sip:inland@10.0.0.1:5060;transport=udp>"


@pytest.mark.parametrize("status", [200, 401, 403, 404, 405, 407, 481, 486, 500, 603])
def test_any_answer_comes_from_somebody_who_is_there(status: int) -> None:
    check, turns = checked(FarEnd(answer(status)))
    assert [turn.state for turn in turns] == ["up"]
    assert check.health.status == status


@pytest.mark.parametrize("status", [408, 503])
def test_an_answer_that_nobody_is_there_is_none(status: int) -> None:
    check, _ = checked(FarEnd(answer(status)))
    assert check.health.state == "down"
    assert check.health.status == status


def test_why_nobody_answers_is_kept_in_words() -> None:
    check, _ = checked(FarEnd(refusal))
    assert (check.health.state, check.health.problem) == ("down", "the connection was refused")
    assert check.health.latency is None


def test_one_lost_question_does_not_make_a_trunk_down_but_is_asked_again_soon() -> None:
    far = FarEnd(answer(200), silence, answer(200))
    check, turns = checked(far)
    far.advance(30)
    assert check.health.state == "up"
    assert len(far.asked) == 2
    far.advance(5)
    assert len(far.asked) == 3
    far.advance(300)
    assert [turn.state for turn in turns] == ["up"]
    assert check.failures == 1


def test_two_lost_questions_make_it_down_and_two_answers_up_again() -> None:
    far = FarEnd(answer(200), silence, silence, silence, answer(200), silence, answer(200))
    _, turns = checked(far)
    far.advance(300)
    assert [turn.state for turn in turns] == ["up", "down", "up"]
    assert turns[2].since > turns[1].since > turns[0].since


def test_the_latency_is_that_of_the_last_answer() -> None:
    far = FarEnd(answer(200))
    check = HealthCheck(SETTINGS, far.means)
    check.start()
    far.clock.advance(0.25)
    far.settle()
    assert check.health.latency == pytest.approx(0.25)


def test_a_trunk_is_up_while_any_of_its_targets_answers() -> None:
    far = FarEnd(silence, answer(200))
    far.targets = (TARGET, replace(TARGET, host="192.0.2.11"))
    check, _ = checked(far)
    assert check.health.state == "up"
    assert far.failed == [TARGET]


def test_a_name_that_is_not_found_is_a_failure() -> None:
    far = FarEnd(answer(200))
    far.targets = ()
    check, _ = checked(far)
    assert check.health.problem == far.problem


def test_a_stopped_check_asks_nothing_and_holds_nothing() -> None:
    far = FarEnd(answer(200))
    check, _ = checked(far)
    check.stop()
    far.advance(300)
    assert len(far.asked) == 1
    assert len(far.timers) == 0


def test_an_answer_after_the_stop_changes_nothing() -> None:
    far = FarEnd(answer(200))
    check = HealthCheck(SETTINGS, far.means)
    check.start()
    check.stop()
    far.settle()
    assert check.health.state == "unknown"
    assert len(far.timers) == 0


def test_an_ipv6_trunk_is_asked_by_its_address_in_brackets() -> None:
    far = FarEnd(answer(200))
    checked(far, HealthSettings(Destination("tcp", "2001:db8::7", 5070)))
    assert far.asked[0].request.uri == "sip:[2001:db8::7]:5070"
