"""G.711 against the Recommendation's tables."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edge.media import g711
from edge.media.g711 import G711Decoder, G711Encoder, Law
from tests.edge.media.tones import pitch, tone

LAWS: tuple[Law, ...] = ("ulaw", "alaw")

# Decoder output (14 bits) of the ends of each mu-law segment: G.711 table 2a.
ULAW_POSITIVE = {
    0x80: 8031,
    0x8F: 4191,
    0x9F: 2079,
    0xAF: 1023,
    0xBF: 495,
    0xCF: 231,
    0xDF: 99,
    0xEF: 33,
    0xFE: 2,
    0xFF: 0,
}
# Decoder output (13 bits) for A-law character signals after even-bit inversion: G.711 table 1a.
ALAW_POSITIVE = {
    0xFF: 4032,
    0xF0: 2112,
    0xE0: 1056,
    0xD0: 528,
    0xC0: 264,
    0xB0: 132,
    0xA0: 66,
    0x80: 1,
}


@pytest.mark.parametrize(("code", "value"), ULAW_POSITIVE.items())
def test_ulaw_decodes_to_the_values_of_table_2(code: int, value: int) -> None:
    assert g711.ulaw_decode(bytes([code]))[0] == value * 4
    assert g711.ulaw_decode(bytes([code & 0x7F]))[0] == -value * 4


@pytest.mark.parametrize(("code", "value"), ALAW_POSITIVE.items())
def test_alaw_decodes_to_the_values_of_table_1(code: int, value: int) -> None:
    wire = code ^ 0x55
    assert g711.alaw_decode(bytes([wire]))[0] == value * 8
    assert g711.alaw_decode(bytes([wire ^ 0x80]))[0] == -value * 8


def test_ulaw_decision_values_of_table_2() -> None:
    """A sample just below a decision value takes the lower code, one at it the higher."""
    edges = {
        7903: 0x80,
        7647: 0x81,
        4063: 0x8F,
        2015: 0x9F,
        991: 0xAF,
        479: 0xBF,
        31: 0xEF,
        1: 0xFE,
    }
    for edge, code in edges.items():
        assert g711.ulaw_encode(np.array([edge * 4], np.int16)) == bytes([code])
        assert g711.ulaw_encode(np.array([edge * 4 - 4], np.int16)) == bytes([code + 1])


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_every_code_survives_a_round_trip(law: str) -> None:
    codes = bytes(range(256))
    decode, encode = getattr(g711, f"{law}_decode"), getattr(g711, f"{law}_encode")
    again = encode(decode(codes))
    # Mu-law has two zeros; the negative one is never sent.
    assert [one for one in range(256) if again[one] != codes[one]] == (
        [0x7F] if law == "ulaw" else []
    )


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_quantisation_is_monotonic_and_within_half_a_step(law: str) -> None:
    samples = np.arange(-32_768, 32_768, dtype=np.int16)
    decode, encode = getattr(g711, f"{law}_decode"), getattr(g711, f"{law}_encode")
    decoded = decode(encode(samples)).astype(int)
    assert np.all(np.diff(decoded) >= 0)
    error = np.abs(decoded - samples)
    assert np.all(error[np.abs(samples.astype(int)) < 32_000] <= 512)
    assert np.all(error[np.abs(samples.astype(int)) < 100] <= 16)


def test_silence_has_its_code() -> None:
    silence = np.zeros(2, np.int16)
    assert g711.ulaw_encode(silence) == bytes([g711.ULAW_SILENCE] * 2)
    assert g711.alaw_encode(silence) == bytes([g711.ALAW_SILENCE] * 2)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_decoding_is_the_same_in_packets_as_at_once(law: Law, rate: int) -> None:
    codes = G711Encoder(law).encode(tone(440, 8000, 0.2))
    whole = G711Decoder(law, rate).decode(codes)
    decoder = G711Decoder(law, rate)
    parts = [decoder.decode(codes[i : i + 37]) for i in range(0, len(codes), 37)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert len(whole) == rate // 8000 * len(codes)
    assert pitch(whole, rate) == pytest.approx(440, abs=6)


@pytest.mark.parametrize("law", LAWS)
def test_between_two_codes_lies_their_middle(law: Law) -> None:
    decode = g711.ulaw_decode if law == "ulaw" else g711.alaw_decode
    codes = bytes(random.Random(1).randbytes(500))
    values = decode(codes).astype(int)
    raised = G711Decoder(law, 16_000).decode(codes)
    assert np.array_equal(raised[1::2], values)
    assert np.array_equal(raised[2::2], (values[:-1] + values[1:]) // 2)


def test_the_first_packet_begins_from_silence() -> None:
    raised = G711Decoder("ulaw", 24_000).decode(g711.ulaw_encode(np.array([4092], np.int16)))
    assert raised.tolist() == [1364, 2728, 4092]


def test_nothing_in_is_nothing_out() -> None:
    assert len(G711Decoder("ulaw", 16_000).decode(b"")) == 0


def test_a_new_stream_begins_from_silence_again() -> None:
    decoder = G711Decoder("alaw", 16_000)
    codes = g711.alaw_encode(tone(440, 8000, 0.02))
    first = decoder.decode(codes)
    decoder.reset()
    assert np.array_equal(decoder.decode(codes), first)
