"""What every recogniser promises, asked of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from edge.events import Expectation
from edge.grammar import Alt, Words
from edge.media.frames import Samples
from edge.speech.channel import Channel
from edge.speech.recognizer import Recognizer, RecognizerError, Utterance
from edge.speech.sherpa import SherpaRecognizer
from edge.speech.sherpa_model import find_model, load_model
from edge.speech.sphinx import SphinxRecognizer
from tests.fakes import recordings
from tests.fakes.hearing import expecting
from tests.fakes.tone_model import tones

YES_NO = expecting(Alt((Words("tomorrow"), Words("no"))), "step")


@pytest.fixture(params=["pocketsphinx", "sherpa"])
async def recognizer(
    request: pytest.FixtureRequest, tone_folder: Path
) -> AsyncIterator[Recognizer]:
    engine: Recognizer
    if request.param == "pocketsphinx":
        engine = SphinxRecognizer()
    else:
        model = find_model(tone_folder)
        assert model is not None
        engine = SherpaRecognizer(load_model(model), biased=False)
    yield engine
    await engine.close()


@pytest.fixture
def spoken(recognizer: Recognizer, tmp_path: Path) -> Samples:
    """The word "no", as this engine's callers say it."""
    if recognizer.name == "sherpa":
        return tones("no")
    return recordings.with_silence(recordings.flite("tomorrow", tmp_path))


@pytest.fixture
def word(recognizer: Recognizer) -> str:
    return "no" if recognizer.name == "sherpa" else "tomorrow"


def play(utterance: Utterance, samples: Samples, step: int = 320) -> None:
    for at in range(0, len(samples), step):
        utterance.accept(samples[at : at + step])


async def test_a_word_is_heard(recognizer: Recognizer, spoken: Samples, word: str) -> None:
    utterance = recognizer.begin(YES_NO, Channel())
    play(utterance, spoken)

    heard = await utterance.finish()

    assert (heard.text, heard.understood) == (word, True)
    assert 0.5 < heard.confidence <= 1.0


async def test_how_audio_is_cut_up_changes_nothing(recognizer: Recognizer, spoken: Samples) -> None:
    results = []
    for step in (160, 1_111, len(spoken)):
        utterance = recognizer.begin(YES_NO, Channel())
        play(utterance, spoken, step)
        results.append(await utterance.finish())

    assert len({(heard.text, heard.understood) for heard in results}) == 1
    for heard in results:
        assert heard.confidence == pytest.approx(results[0].confidence, abs=1e-3)


async def test_utterances_at_the_same_time_do_not_mix(
    recognizer: Recognizer, spoken: Samples, word: str
) -> None:
    loud, hush = recognizer.begin(YES_NO, Channel()), recognizer.begin(YES_NO, Channel())
    for at in range(0, len(spoken), 320):
        loud.accept(spoken[at : at + 320])
        hush.accept(np.zeros(320, np.int16))

    assert not (await hush.finish()).understood
    assert (await loud.finish()).text == word


async def test_one_utterance_leaves_nothing_to_the_next(
    recognizer: Recognizer, spoken: Samples
) -> None:
    results = []
    for _ in range(3):
        utterance = recognizer.begin(YES_NO, Channel())
        play(utterance, spoken)
        results.append(await utterance.finish())

    assert results[0].text == results[1].text == results[2].text
    assert results[0].confidence == pytest.approx(results[2].confidence, abs=0.02)


async def test_an_utterance_without_audio_is_not_understood(recognizer: Recognizer) -> None:
    utterance = recognizer.begin(YES_NO, Channel())

    heard = await utterance.finish()

    assert (heard.understood, heard.text) == (False, "")


async def test_an_utterance_can_be_given_up_at_any_time(
    recognizer: Recognizer, spoken: Samples
) -> None:
    early, late = recognizer.begin(YES_NO, Channel()), recognizer.begin(YES_NO, Channel())
    play(early, spoken)
    early.discard()
    early.discard()
    play(late, spoken)
    await late.finish()
    late.discard()

    for over in (early, late):
        with pytest.raises(RecognizerError):
            over.accept(spoken)


async def test_an_expectation_can_be_prepared(recognizer: Recognizer) -> None:
    for _ in range(2):
        recognizer.prepare(YES_NO, Channel())
    recognizer.begin(YES_NO, Channel()).discard()


async def test_a_closed_engine_begins_nothing(recognizer: Recognizer) -> None:
    await recognizer.close()
    await recognizer.close()

    with pytest.raises(RecognizerError):
        recognizer.begin(YES_NO, Channel())


async def test_the_partial_grows_into_the_result(
    recognizer: Recognizer, spoken: Samples, word: str
) -> None:
    utterance = recognizer.begin(
        Expectation("step", YES_NO.grammar, phrases=("no", "tomorrow")), Channel()
    )
    assert utterance.partial() == ""
    play(utterance, spoken)
    await utterance.finish()
