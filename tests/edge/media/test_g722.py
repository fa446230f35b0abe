"""G.722 as it is on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.g722 import G722Decoder, G722Encoder
from tests.edge.media.tones import loudness, pitch, tone


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 5000.0, 6500.0])
def test_speech_up_to_7_khz_survives(frequency: float) -> None:
    encoder, decoder = G722Encoder(), G722Decoder()
    speech = tone(frequency, 16_000, 0.4, 6000)
    packets = [encoder.encode(speech[i : i + 320]) for i in range(0, len(speech), 320)]
    assert {len(packet) for packet in packets} == {160}
    back = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(back) == len(speech)
    assert pitch(back[1600:], 16_000) == pytest.approx(frequency, abs=4)
    assert loudness(back[1600:]) == pytest.approx(loudness(speech), rel=0.15)


def test_packets_may_be_cut_anywhere() -> None:
    speech = tone(440, 16_000, 0.2)
    code = G722Encoder().encode(speech)
    whole = G722Decoder().decode(code)
    decoder = G722Decoder()
    parts = [decoder.decode(code[i : i + 37]) for i in range(0, len(code), 37)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_a_new_stream_is_decoded_as_the_first() -> None:
    code = G722Encoder().encode(tone(440, 16_000, 0.1))
    decoder = G722Decoder()
    first = decoder.decode(code)
    decoder.reset()
    assert np.array_equal(decoder.decode(code), first)


def test_a_loss_is_filled_with_the_speech_before_it() -> None:
    encoder, decoder = G722Encoder(), G722Decoder()
    speech = tone(200, 16_000, 0.1)
    loud = loudness(decoder.decode(encoder.encode(speech))[-320:])
    assert loudness(decoder.conceal(160)) == pytest.approx(loud, rel=0.2)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_any_bytes_are_sound(payloads: list[bytes]) -> None:
    decoder = G722Decoder()
    for payload in payloads:
        pcm = decoder.decode(payload)
        assert pcm.shape == (2 * len(payload),) and pcm.dtype == np.int16
