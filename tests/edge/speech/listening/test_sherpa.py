"""The sherpa-onnx adapter, on a tiny model that hears tones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from edge.events import CallerEvent, Heard, Partial
from edge.grammar import Alt, Words
from edge.media.frames import Samples
from edge.speech.channel import Channel
from edge.speech.listener import Listener, ListenSettings
from edge.speech.recognizer import RecognizerError
from edge.speech.sherpa import SherpaRecognizer
from edge.speech.sherpa_model import find_model, main, rehearse
from tests.fakes.clock import FakeClock
from tests.fakes.hearing import LevelDetector, expecting
from tests.fakes.tone_model import build_tone_model, tones

STEP = expecting(Alt((Words("hello"), Words("world"))), "step")


def hush(seconds: float) -> Samples:
    return np.zeros(round(seconds * 16_000), np.int16)


async def test_a_call_is_heard_through_the_real_listener(tone_recognizer: SherpaRecognizer) -> None:
    events: list[CallerEvent] = []
    results: asyncio.Queue[Heard] = asyncio.Queue()

    def on_event(event: CallerEvent) -> None:
        events.append(event)
        if isinstance(event, Heard):
            results.put_nowait(event)

    clock = FakeClock()
    listener = Listener(tone_recognizer, LevelDetector(), clock, on_event, ListenSettings())
    listener.expect(STEP)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        for word in ("hello", "world"):
            line = np.concatenate((hush(0.5), tones(word), hush(1.2)))
            for at in range(0, len(line) - 319, 320):
                clock.advance(0.02)
                listener.feed(line[at : at + 320])
            heard = await results.get()
            assert (heard.text, heard.understood) == (word, True)
        listener.close()

    assert all(
        "hello".startswith(e.text) or "world".startswith(e.text)
        for e in events
        if isinstance(e, Partial)
    )


async def test_many_calls_are_decoded_in_batches_and_do_not_mix(
    tone_recognizer: SherpaRecognizer,
) -> None:
    words = ["alpha", "bravo", "delta", "echo", "golf", "hotel", "india", "kilo"]
    utterances = [tone_recognizer.begin(STEP, Channel()) for _ in words]
    for utterance, word in zip(utterances, words, strict=True):
        utterance.accept(tones(word))

    heard = await asyncio.gather(*(utterance.finish() for utterance in utterances))

    assert [result.text for result in heard] == words


async def test_closing_ends_utterances_that_wait(tone_recognizer: SherpaRecognizer) -> None:
    utterance = tone_recognizer.begin(STEP, Channel())
    utterance.accept(tones("ab"))
    await tone_recognizer.close()

    with pytest.raises(RecognizerError):
        await utterance.finish()


async def test_a_decoder_that_fails_ends_its_utterances_and_serves_the_next(
    tone_recognizer: SherpaRecognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tone_recognizer._engine
    broken = tone_recognizer.begin(STEP, Channel())

    class Failing:
        def __getattr__(self, name: str) -> object:
            return getattr(engine, name)

        def decode_streams(self, streams: list[object]) -> None:
            raise RuntimeError("out of memory")

    monkeypatch.setattr(tone_recognizer, "_engine", Failing())
    broken.accept(tones("hello"))
    with pytest.raises(RecognizerError):
        await broken.finish()
    monkeypatch.undo()

    healthy = tone_recognizer.begin(STEP, Channel())
    healthy.accept(tones("hello"))
    assert (await healthy.finish()).text == "hello"


async def test_a_model_folder_is_opened_after_a_rehearsal(tone_folder: Path) -> None:
    recognizer = await SherpaRecognizer.open(tone_folder)
    utterance = recognizer.begin(STEP, Channel())
    utterance.accept(tones("hello"))

    assert (await utterance.finish()).text == "hello"
    await recognizer.close()


async def test_a_folder_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecognizerError, match="inland models") as caught:
        await SherpaRecognizer.open(tmp_path)
    assert str(tmp_path) in str(caught.value)


async def test_a_broken_model_costs_a_child_and_not_the_node(tmp_path: Path) -> None:
    build_tone_model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"\x00" * 1_000)
    model = find_model(tmp_path)
    assert model is not None

    with pytest.raises(RecognizerError, match="inland models verify") as caught:
        await rehearse(model)
    assert str(tmp_path) in str(caught.value)


def test_the_trial_tells_by_its_status(tone_folder: Path, tmp_path: Path) -> None:
    assert main([str(tone_folder)]) == 0
    assert main([str(tmp_path)]) == 2
    assert main([]) == 2


def test_the_quantised_files_of_a_transducer_are_preferred(tmp_path: Path) -> None:
    for name in (
        "tokens.txt",
        "encoder-1.onnx",
        "encoder-1.int8.onnx",
        "decoder-1.onnx",
        "decoder-1.int8.onnx",
        "joiner-1.int8.onnx",
    ):
        (tmp_path / name).touch()

    model = find_model(tmp_path)

    assert model is not None
    assert model.encoder is not None and model.encoder.name == "encoder-1.int8.onnx"
    assert model.decoder is not None and model.decoder.name == "decoder-1.onnx"
    assert model.joiner is not None and model.joiner.name == "joiner-1.int8.onnx"
    assert not model.biased
    (tmp_path / "bpe.vocab").touch()
    biased = find_model(tmp_path)
    assert biased is not None and biased.biased


def test_half_a_transducer_is_no_model(tmp_path: Path) -> None:
    for name in ("tokens.txt", "encoder-1.onnx", "joiner-1.onnx"):
        (tmp_path / name).touch()

    assert find_model(tmp_path) is None
