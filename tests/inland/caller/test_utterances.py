"""Words and files become audio."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from inland.caller.errors import SpeechError
from inland.caller.meter import audible_span
from inland.caller.recording import CALLER_RATE
from inland.caller.utterances import (
    Utterances,
    flite_voice,
    levelled,
    load_sound,
    resampled,
    utterances,
)
from tests.fakes.talking_edge import FRAME, ToneVoice, tone

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def write_wav(path: Path, rate: int, channels: int, width: int, seconds: float = 0.5) -> None:
    count = round(rate * seconds)
    wave_form = np.sin(2 * np.pi * 300 * np.arange(count) / rate) * 0.5
    if width == 1:
        data = ((wave_form + 1) * 127.5).astype(np.uint8)
    elif width == 2:
        data = (wave_form * 32767).astype("<i2")
    else:
        data = (wave_form * (2**31 - 1)).astype("<i4")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.repeat(data, channels).tobytes())


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize(("channels", "width"), [(1, 2), (2, 2), (1, 1), (2, 4)])
def test_any_wav_becomes_24_khz_mono(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, rate, channels, width)
    samples = load_sound(path)
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    assert abs(len(samples) - 0.5 * CALLER_RATE) < CALLER_RATE * 0.01
    crossings = int(np.sum(np.diff(np.signbit(samples.astype(np.int32))) != 0))
    assert abs(crossings - 300) < 12, "the pitch is kept"


def test_raw_is_16_khz_and_an_odd_last_byte_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    tone = (np.sin(np.arange(16_000) / 5) * 9000).astype("<i2")
    path.write_bytes(tone.tobytes() + b"x")
    assert abs(len(load_sound(path)) - CALLER_RATE) <= 2


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.wav", b""), ("a.wav", b"this is no sound at all"), ("a.raw", b""), ("a.wav", None)],
)
def test_a_wrong_file_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpeechError, match=name) as caught:
        load_sound(path)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("level", [300, 2000, 30_000])
def test_speech_is_brought_to_the_level_of_a_telephone(level: int) -> None:
    silence = np.zeros(FRAME * 10, np.int16)
    samples = levelled(np.concatenate((silence, tone(0.2, level), silence)))
    active = samples[FRAME * 10 : FRAME * 20].astype(np.float64)
    assert abs(np.sqrt(np.mean(active**2)) - 1642) < 10
    assert not samples[: FRAME * 10].any()
    assert not levelled(silence).any()


async def test_the_same_words_are_spoken_once() -> None:
    voice = ToneVoice()
    cache = Utterances(voice)
    first = await cache.words("one two")
    assert await cache.words("one two") is first
    assert voice.spoken == ["one two"]


def test_an_unknown_voice_is_refused_with_the_list() -> None:
    with pytest.raises(SpeechError, match="rms, slt, awb, kal16"):
        flite_voice("siri")


@needs_flite
async def test_flite_speaks_audible_words() -> None:
    async with utterances("slt") as voice:
        samples = await voice.words("-half past nine; $(echo) 'quoted'")
    span = audible_span(samples, FRAME)
    assert span is not None
    assert span[1] - span[0] > CALLER_RATE // 2
    assert voice.synthesiser.note is None


async def test_without_flite_the_embedded_voice_speaks_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    async with utterances() as voice:
        assert voice.synthesiser.note is not None
        assert "flite is not installed" in voice.synthesiser.note
        samples = await voice.words("hello there")
    span = audible_span(samples, FRAME)
    assert span is not None
    assert span[1] - span[0] > CALLER_RATE // 4


def test_pcmu_is_sent_at_8_khz() -> None:
    assert len(resampled(np.zeros(2400, np.int16), 8_000)) == 800
    assert len(resampled(np.zeros(2400, np.int16), 24_000)) == 2400
