from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.speech.segment import (
    MAX_FIRST,
    MAX_SEGMENT,
    Segmenter,
    pause_after,
    split,
)

TEXTS = st.text(alphabet='ab9 .,!?\n")\u3002\u0939Dr', max_size=700)


def test_the_first_clause_is_short_and_the_rest_ends_with_sentences() -> None:
    text = "Good morning, this is the clinic, how can I help? Say book, or cancel. Thanks!"
    assert split(text) == [
        "Good morning, ",
        "this is the clinic, how can I help? ",
        "Say book, or cancel. ",
        "Thanks!",
    ]


def test_without_haste_a_sentence_stays_whole() -> None:
    assert split("Good morning, this is the clinic.", eager=False) == [
        "Good morning, this is the clinic."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "You see Dr. Lind at noon.",
        "It is at 9.30 in room 4.2 today.",
        "Bring papers, e.g. a card.",
        "J. S. Bach was here.",
        "We open at 9 a.m. on weekdays.",
        "Wir sehen uns am 3. Mai wieder.",
        'He is on "St. James Str. 5" now.',
        "Write to a.b@example.org please.",
    ],
)
def test_a_dot_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert split(text, eager=False) == [text]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("Really?! Yes.", ["Really?! ", "Yes."]),
        ('She said "Go." Then left.', ['She said "Go." ', "Then left."]),
        ("Wait... What?", ["Wait... ", "What?"]),
        ("No. I am not.", ["No. ", "I am not."]),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", ["\u4f60\u597d\u3002", "\u518d\u89c1\u3002"]),
        ("one\ntwo", ["one\n", "two"]),
    ],
)
def test_a_sentence_ends_where_a_reader_would_pause(text: str, segments: list[str]) -> None:
    assert split(text) == segments


def test_a_very_short_clause_is_not_cut_off() -> None:
    assert split("Yes, that is right.") == ["Yes, that is right."]


@given(TEXTS)
def test_segments_joined_are_the_text_and_none_is_too_long(text: str) -> None:
    segments = split(text)
    assert "".join(segments) == text
    assert all(0 < len(segment) <= MAX_SEGMENT for segment in segments)
    assert not segments or len(segments[0]) <= MAX_FIRST


@given(TEXTS, st.integers(1, 80))
def test_split_holds_any_bound(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= limit for piece in pieces)


@given(TEXTS, st.lists(st.integers(0, 700), max_size=12))
def test_cuts_do_not_depend_on_how_the_text_was_sliced(text: str, cuts: list[int]) -> None:
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    segmenter = Segmenter()
    fed = [
        segment for start, end in pairwise(bounds) for segment in segmenter.feed(text[start:end])
    ]
    assert [*fed, *segmenter.finish()] == split(text)


def test_a_long_run_is_cut_after_a_clause_else_a_word_else_anywhere() -> None:
    clause = "word " * 30 + "here, " + "word " * 60
    assert split(clause, eager=False)[0].endswith("here, ")
    words = split("word " * 100, eager=False)
    assert all(segment.endswith("word ") for segment in words)
    assert split("x" * 500, eager=False) == ["x" * 240, "x" * 240, "x" * 20]


def test_a_line_break_ends_a_segment_at_once() -> None:
    assert Segmenter().feed("Your room is 12.\n") == ["Your room is 12.\n"]


@pytest.mark.parametrize(
    ("text", "ripe"),
    [
        ("One moment.", True),
        ("One moment. ", True),
        ("One moment", False),
        ("Ask Dr.", False),
        ("It is 9.", False),
        ("", False),
    ],
)
def test_only_what_reads_like_a_whole_sentence_is_ripe(text: str, ripe: bool) -> None:
    segmenter = Segmenter()
    assert segmenter.feed(text) == []
    assert segmenter.ripe() == (text if ripe else None)
    assert segmenter.finish() == ([] if ripe or not text else [text])


def test_pauses_follow_the_punctuation() -> None:
    assert pause_after("Good. ") > pause_after("Good, ") > pause_after("Good ") == 0.0
    assert pause_after('"Good." ') == pause_after("Good\n") == pause_after("Good.")
    assert pause_after("Good,\n") == pause_after("Good, ")
    assert pause_after("  ") == 0.0
