"""libopus by ctypes."""

from __future__ import annotations

import numpy as np
import pytest

from edge.media import opus
from edge.media.opus import OpusDecoder, OpusEncoder, OpusFault, OpusUnavailable, packet_samples
from tests.edge.media.tones import loudness, pitch, tone


def test_a_tone_survives_encoding_at_24_khz_and_decoding_at_16_khz() -> None:
    encoder, decoder = OpusEncoder(24_000), OpusDecoder(16_000)
    sent = tone(440, 24_000, 1)
    packets = [encoder.encode(sent[i : i + 480]) for i in range(0, len(sent), 480)]
    heard = [decoder.decode(packet) for packet in packets]
    assert {len(one) for one in heard} == {320}
    assert {packet_samples(packet, 48_000) for packet in packets} == {960}
    assert pitch(np.concatenate(heard)[1600:], 16_000) == pytest.approx(440, abs=2)
    assert sum(map(len, packets)) * 8 < 40_000


def test_a_lost_packet_is_recovered_from_the_next_one() -> None:
    encoder, decoder = OpusEncoder(24_000, bitrate=32_000), OpusDecoder(16_000)
    rng = np.random.default_rng(7)
    speechlike = tone(200, 24_000, 1) * np.repeat(rng.uniform(0.2, 1, 50), 480)
    sent = speechlike.astype(np.int16)
    packets = [encoder.encode(sent[i : i + 480]) for i in range(0, len(sent), 480)]
    for packet in packets[:20]:
        decoder.decode(packet)
    recovered = decoder.conceal(320, packets[21])
    assert len(recovered) == 320
    assert loudness(recovered) > 500


def test_concealment_without_the_next_packet_goes_on_from_the_last_sound() -> None:
    encoder, decoder = OpusEncoder(24_000), OpusDecoder(16_000)
    for start in range(0, 4800, 480):
        decoder.decode(encoder.encode(tone(300, 24_000, 1)[start : start + 480]))
    assert loudness(decoder.conceal(320)) > 500


def test_reset_forgets_what_was_heard() -> None:
    encoder, decoder = OpusEncoder(24_000), OpusDecoder(16_000)
    for start in range(0, 4800, 480):
        decoder.decode(encoder.encode(tone(300, 24_000, 1)[start : start + 480]))
    decoder.reset()
    assert loudness(decoder.conceal(320)) == 0


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x03", b"\xff\xff\xff\xff"])
def test_a_payload_that_is_not_opus_is_a_fault(payload: bytes) -> None:
    with pytest.raises(OpusFault) as fault:
        packet_samples(payload, 48_000)
        OpusDecoder(16_000).decode(payload)
    assert fault.value.code < 0


def test_any_bytes_decode_or_fault_and_never_more() -> None:
    decoder, rng = OpusDecoder(16_000), np.random.default_rng(3)
    for size in range(1, 200):
        try:
            assert len(decoder.decode(rng.bytes(size))) <= 1920
        except OpusFault:
            continue


def test_an_encoder_takes_exactly_one_frame() -> None:
    with pytest.raises(ValueError, match="not one frame"):
        OpusEncoder(24_000).encode(np.zeros(320, np.int16))


def test_unknown_rates_and_settings_are_faults() -> None:
    with pytest.raises(OpusFault):
        OpusDecoder(11_025)
    with pytest.raises(OpusFault):
        OpusEncoder(24_000, complexity=11)


def test_close_frees_once_and_use_after_close_is_a_fault() -> None:
    encoder, decoder = OpusEncoder(24_000), OpusDecoder(16_000)
    for one in (encoder, decoder):
        one.close()
        one.close()
    with pytest.raises(OpusFault):
        encoder.encode(np.zeros(480, np.int16))
    with pytest.raises(OpusFault):
        decoder.decode(b"\x00")


def test_the_copy_that_pyav_ships_is_used_when_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opus, "_SYSTEM_NAMES", ("libno-such-opus.so",))
    library = opus._library.__wrapped__()
    assert b"libopus" in _version(library)


def test_a_machine_without_libopus_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "_SYSTEM_NAMES", ())
    monkeypatch.setattr(opus, "_shipped_with_pyav", list)
    with pytest.raises(OpusUnavailable, match="install"):
        opus._library.__wrapped__()


def _version(library: object) -> bytes:
    import ctypes

    assert isinstance(library, ctypes.PyDLL)
    library.opus_get_version_string.restype = ctypes.c_char_p
    return bytes(library.opus_get_version_string())
