"""Whose turn it is, told by ear."""

from __future__ import annotations

from inland.phone.ear import SILENCE, Ear


def heard(ear: Ear, begin: float, seconds: float) -> float:
    """Audible frames for so long; when the last one was over."""
    for number in range(round(seconds / 0.02)):
        ear.heard(begin + number * 0.02, 0.02)
    return begin + seconds - 0.02


def test_the_agent_has_finished_when_it_was_heard_and_then_silent_for_long_enough() -> None:
    ear = Ear(0.0)
    end = heard(ear, 0.5, 1.0)
    assert not ear.view(end).finished
    assert not ear.view(end + SILENCE - 0.02).finished
    assert ear.view(end + SILENCE + 0.001).finished


def test_a_pause_between_two_sentences_is_not_the_end() -> None:
    ear = Ear(0.0)
    end = heard(ear, 0.0, 1.0)
    end = heard(ear, end + 0.7, 1.0)
    assert not ear.view(end + 0.5).finished


def test_silence_alone_and_a_click_are_no_answer() -> None:
    ear = Ear(0.0)
    assert not ear.view(5.0).finished
    end = heard(ear, 5.0, 0.04)
    assert not ear.view(end + 2.0).finished


def test_what_was_heard_before_the_callers_last_word_is_no_answer_to_it() -> None:
    ear = Ear(0.0)
    end = heard(ear, 0.0, 1.0)
    ear.moved(end + 1.0)
    assert not ear.view(end + 3.0).finished
    end = heard(ear, end + 3.0, 0.5)
    assert ear.view(end + SILENCE + 0.001).finished


def test_who_is_never_heard_is_mute_after_the_callers_patience() -> None:
    ear = Ear(0.0)
    assert not ear.view(12.0).mute
    assert ear.view(13.0).mute


def test_silence_during_a_hold_does_not_count() -> None:
    ear = Ear(0.0)
    end = heard(ear, 0.0, 1.0)
    ear.silence_begins(end + 5.0)
    assert not ear.view(end + 5.5).finished
    assert ear.view(end + 5.0 + SILENCE + 0.001).finished


def test_a_barge_in_counts_from_the_first_sound() -> None:
    ear = Ear(0.0)
    assert ear.view(1.0).speaking_for is None
    heard(ear, 1.0, 0.1)
    speaking = ear.view(1.4).speaking_for
    assert speaking is not None
    assert abs(speaking - 0.4) < 1e-6
