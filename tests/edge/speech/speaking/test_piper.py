from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.speech.voices.engine import EngineError
from edge.speech.voices.piper import Piper
from tests.fakes.voice import write_piper_voice


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    write_piper_voice(folder / "toy", "en_GB")
    yield folder


def test_a_sentence_is_spoken_with_marks_spread_by_characters(models: Path) -> None:
    text = "Good morning, dear caller. How are you?"
    clip = Piper(models).synthesize(text, "en", never)
    assert clip.rate == 22_050
    assert clip.samples.dtype == np.int16
    assert np.abs(clip.samples.astype(np.int32)).max() > 20_000
    assert [mark.text for mark in clip.marks][:3] == ["Good ", "morning, ", "dear "]
    assert "".join(mark.text for mark in clip.marks) == text
    ends = [mark.sample for mark in clip.marks]
    assert ends == sorted(set(ends))
    assert ends[-1] <= len(clip.samples)
    assert ends[1] - ends[0] > ends[0]


def test_double_brackets_are_not_phonemes(models: Path) -> None:
    piper = Piper(models)
    raw = piper.synthesize("Hello [[aaaaaaaaaaaaaaaaaaaaaa]]", "en", never)
    plain = piper.synthesize("Hello ((aaaaaaaaaaaaaaaaaaaaaa))", "en", never)
    np.testing.assert_array_equal(raw.samples, plain.samples)
    assert raw.marks[-1].text == "[[aaaaaaaaaaaaaaaaaaaaaa]]"


def test_the_session_uses_one_thread(models: Path) -> None:
    piper = Piper(models)
    piper.warm("en")
    (voice,) = piper.loaded
    options = voice.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_a_language_finds_its_voice_and_others_are_refused(models: Path) -> None:
    piper = Piper(models)
    assert piper.speaks("en-GB")
    assert piper.speaks("en")
    assert piper.speaks("en-US")
    assert not piper.speaks("de")
    with pytest.raises(EngineError, match="no piper voice"):
        piper.synthesize("Hallo", "de", never)


def test_the_nearest_of_several_voices_speaks(models: Path, tmp_path: Path) -> None:
    write_piper_voice(tmp_path / "a", "en_GB")
    write_piper_voice(tmp_path / "b", "en_US")
    piper = Piper(tmp_path)
    assert piper.find("en-US") == tmp_path / "b" / "en_US-toy.onnx"
    assert piper.find("en-GB") == tmp_path / "a" / "en_GB-toy.onnx"


def test_no_voice_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="inland models pull"):
        Piper(tmp_path)


def test_a_broken_model_says_what_to_do(tmp_path: Path) -> None:
    path = write_piper_voice(tmp_path / "toy")
    path.write_bytes(b"not a model")
    with pytest.raises(EngineError, match="inland models verify"):
        Piper(tmp_path).synthesize("Hello", "en", never)


def test_a_model_that_is_no_voice_ends_the_request_only(tmp_path: Path) -> None:
    path = write_piper_voice(tmp_path / "toy")
    config = json.loads(Path(f"{path}.json").read_text())
    config["num_speakers"] = 9
    Path(f"{path}.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match="piper failed"):
        Piper(tmp_path).synthesize("Hello", "en", never)


def test_cancelling_stops_between_sentences(models: Path) -> None:
    piper = Piper(models)
    one = piper.synthesize("One sentence here.", "en", never)
    cut = piper.synthesize("One sentence here. And another one. And more.", "en", lambda: True)
    assert len(cut.samples) == len(one.samples)
