from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.speech.voices.engine import EngineError, plain
from edge.speech.voices.espeak import Espeak

ESPEAK = Espeak()


def never() -> bool:
    return False


def test_every_word_has_a_mark_at_its_end() -> None:
    text = "Good morning, this is the clinic."
    clip = ESPEAK.synthesize(text, "en", never)
    assert [mark.text for mark in clip.marks] == [
        "Good ",
        "morning, ",
        "this ",
        "is ",
        "the ",
        "clinic.",
    ]
    ends = [mark.sample for mark in clip.marks]
    assert ends == sorted(ends)
    assert ends[0] > 0
    assert ends[-1] <= len(clip.samples)
    assert 1.0 < len(clip.samples) / clip.rate < 4.0


def test_a_mark_does_not_wait_for_the_pause_after_its_word() -> None:
    clip = ESPEAK.synthesize("Stop. Now we go on.", "en", never)
    stop, now = clip.marks[0], clip.marks[1]
    pause = clip.samples[stop.sample : stop.sample + clip.rate // 10]
    assert np.abs(pause.astype(np.int32)).max() < 500
    assert now.sample - stop.sample > clip.rate // 4


@pytest.mark.parametrize(
    "text",
    [
        "Room 9.30 at 42 Main St. is OK",
        "a <b>bold</b> [[h@l'oU]] word",
        "na\u00efve \U0001f600 caf\u00e9",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
        "one\n\ntwo",
        "x" * 300,
        "a\x00b\x01c",
    ],
)
def test_marks_joined_are_the_text_whatever_it_is(text: str) -> None:
    clip = ESPEAK.synthesize(text, "en", never)
    assert "".join(mark.text for mark in clip.marks) == text
    assert all(0 <= mark.sample <= len(clip.samples) for mark in clip.marks)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_text_breaks_the_engine(text: str) -> None:
    clip = ESPEAK.synthesize(text, "en", never)
    assert "".join(mark.text for mark in clip.marks) == text


def test_markup_is_spoken_and_not_obeyed() -> None:
    said = len(ESPEAK.synthesize('<break time="9s"/> hello', "en", never).samples)
    assert said < 8 * ESPEAK.synthesize("hello", "en", never).rate
    loud = ESPEAK.synthesize("\x01100a hello", "en", never)
    also = ESPEAK.synthesize(" 100a hello", "en", never)
    assert len(loud.samples) == pytest.approx(len(also.samples), rel=0.01)
    assert np.abs(loud.samples).max() == pytest.approx(np.abs(also.samples).max(), rel=0.1)


@pytest.mark.parametrize(
    "tag", ["en", "en-US", "en_GB", "en-IN", "de", "de-AT", "hi", "ar", "fr", "zh", "pt-PT", "no"]
)
def test_a_language_tag_finds_a_voice(tag: str) -> None:
    assert ESPEAK.speaks(tag)
    assert len(ESPEAK.synthesize("1 2 3", tag, never).samples) > 1000


@pytest.mark.parametrize("tag", ["xx", "", "../../etc/passwd", "qqq-Latn"])
def test_an_unknown_language_is_refused(tag: str) -> None:
    assert not ESPEAK.speaks(tag)
    with pytest.raises(EngineError, match="no voice"):
        ESPEAK.synthesize("hello", tag, never)


def test_a_british_caller_hears_a_british_voice() -> None:
    assert ESPEAK.voice("en-GB") == ESPEAK.voice("en-IN") == "gmw/en"
    assert ESPEAK.voice("en") == ESPEAK.voice("en-US") == "gmw/en-US"
    assert ESPEAK.voice("zh-HK") == "sit/yue"


def test_languages_sound_different() -> None:
    english = ESPEAK.synthesize("Restaurant", "en", never).samples
    german = ESPEAK.synthesize("Restaurant", "de", never).samples
    assert len(english) != len(german)


def test_cancelling_stops_between_two_buffers() -> None:
    asked = 0

    def after(count: int) -> Callable[[], bool]:
        def cancelled() -> bool:
            nonlocal asked
            asked += 1
            return asked > count

        return cancelled

    text = "one two three four five six seven eight nine ten " * 5
    whole = len(ESPEAK.synthesize(text, "en", never).samples)
    cut = ESPEAK.synthesize(text, "en", after(3))
    assert asked == 4
    assert len(cut.samples) < whole / 10
    assert len(ESPEAK.synthesize(text, "en", never).samples) == pytest.approx(whole, rel=0.01)


def test_a_callback_that_fails_does_not_raise_into_c() -> None:
    def broken() -> bool:
        raise RuntimeError("boom")

    assert len(ESPEAK.synthesize("hello there", "en", broken).samples) == 0
    assert len(ESPEAK.synthesize("hello there", "en", never).samples) > 1000


def test_plain_text_keeps_its_length() -> None:
    text = "a\x01b\x1b[[x]]\u200b\U0001f600\n\u200c"
    assert plain(text) == "a b ((x))  \n\u200c"
    assert len(plain(text)) == len(text)
