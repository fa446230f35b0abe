from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dialog.normalise import MAX_TEXT, normalise


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("3:30 pm", "three thirty p m"),
        ("3pm", "three p m"),
        ("at 3:30 P.M.", "at three thirty p m"),
        ("15:00", "three p m"),
        ("9:00", "nine o'clock"),
        ("8:05", "eight oh five"),
        ("10 a.m. please", "ten a m please"),
        ("the 23rd", "the twenty third"),
        ("May 5", "may fifth"),
        ("5 May", "fifth may"),
        ("2026-11-24", "november twenty fourth"),
        ("5/23", "may twenty third"),
        ("10", "ten"),
        ("x-ray", "x ray"),
        ("S.M.I.T.H.", "s m i t h"),
        ("That\N{RIGHT SINGLE QUOTATION MARK}s right!", "that's right"),
        ("I AM here", "i am here"),
        ("25:99", "twenty five nine nine"),
        ("13/40", "thirteen forty"),
        ("M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller", "muller"),
    ],
)
def test_written_text_becomes_the_words_a_caller_would_say(written: str, said: str) -> None:
    assert " ".join(normalise(written)) == said


@pytest.mark.parametrize(
    ("written", "said"), [("123456", "one two three four five six"), ("12 09", "one two zero nine")]
)
def test_a_number_is_read_digit_by_digit_where_digits_are_asked(written: str, said: str) -> None:
    assert " ".join(normalise(written, digit_by_digit=True)) == said


@given(st.text(max_size=2000))
def test_any_text_becomes_plain_words_of_bounded_number(text: str) -> None:
    words = normalise(text)
    assert all(word.replace("'", "").isascii() and word == word.lower() for word in words)
    assert len(words) <= 3 * MAX_TEXT


@pytest.mark.parametrize("piece", ["1:", "9.9.9", "may ", "a.m", "1/", "11-", "'", "\0", "p m "])
def test_adversarial_lengths_take_no_time(piece: str) -> None:
    normalise(piece * 100_000)
