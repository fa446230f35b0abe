from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.playout import Mark
from edge.speech.voice import MAX_TEXT, Speech
from edge.speech.voices.protocol import (
    MAX_MESSAGE,
    Cancel,
    Chunk,
    Decoder,
    Done,
    Failed,
    Hello,
    Message,
    More,
    ProtocolError,
    Speak,
    encode,
)

NUMBERS = st.integers(0, 2**32 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
SIMPLE: st.SearchStrategy[Message] = st.one_of(
    st.builds(Speak, NUMBERS, TEXTS, st.sampled_from(["en", "de-AT"]), st.integers(8000, 48000)),
    st.builds(Cancel, NUMBERS),
    st.builds(More, NUMBERS),
    st.builds(Hello, TEXTS, st.integers(0, 65_535)),
    st.builds(Done, NUMBERS),
    st.builds(Failed, NUMBERS, TEXTS, st.booleans()),
)


@given(st.lists(SIMPLE, max_size=5), st.integers(1, 40))
def test_messages_survive_any_slicing(messages: list[Message], size: int) -> None:
    data = b"".join(map(encode, messages))
    decoder = Decoder()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == messages


def test_a_chunk_keeps_its_samples_and_marks() -> None:
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    sent = Chunk(7, Speech(samples, (Mark(2, "gr\u00fc\u00df "), Mark(5, "dich"))))
    (received,) = Decoder().feed(encode(sent))
    assert isinstance(received, Chunk)
    assert received.request == 7
    assert received.speech.marks == sent.speech.marks
    assert received.speech.samples.dtype == np.int16
    np.testing.assert_array_equal(received.speech.samples, samples)


def _raw(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">IBI", 5 + len(body) if length is None else length, kind, 1) + body


@pytest.mark.parametrize(
    "data",
    [
        _raw(2, b"", length=MAX_MESSAGE + 1),
        _raw(2, b"", length=0),
        _raw(99, b""),
        _raw(1, b"\0"),
        _raw(1, struct.pack(">IB", 24_000, 200) + b"e" * 200),
        _raw(1, struct.pack(">IB", 2, 2) + b"enhi"),
        _raw(1, struct.pack(">IB", 24_000, 2) + b"en" + b"x" * (MAX_TEXT + 1)),
        _raw(1, struct.pack(">IB", 24_000, 2) + b"en\xff\xfe"),
        _raw(1, struct.pack(">IB", 24_000, 2) + b"\xc3\xa9hi"),
        _raw(17, struct.pack(">HIH", 1, 0, 50) + b"short"),
        _raw(17, struct.pack(">H", 9)),
        _raw(17, struct.pack(">H", 0) + b"odd"),
        _raw(17, struct.pack(">HIH", 1, 3, 0) + b"\0\0"),
        _raw(19, b""),
    ],
)
def test_what_is_not_the_protocol_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(data)


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Decoder().feed(data)


@pytest.mark.parametrize(
    "request_",
    [
        Speak(1, "x" * (MAX_TEXT + 1), "en", 24_000),
        Speak(1, "x", "e" * 36, 24_000),
        Speak(1, "x", "en", 7_999),
    ],
)
def test_a_request_out_of_bounds_is_not_sent(request_: Speak) -> None:
    with pytest.raises(ValueError, match="request"):
        encode(request_)


def test_a_failure_is_told_in_few_words() -> None:
    (failed,) = Decoder().feed(encode(Failed(1, "x" * 999, True)))
    assert failed == Failed(1, "x" * 200, True)
