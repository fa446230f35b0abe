"""The search that proves absence elsewhere finds what is there: planted leaks of each kind."""

from __future__ import annotations

import base64
import json
import random
import urllib.parse
from collections.abc import Callable

import pytest

from tests.fakes.canary import Canaries

WORD, NUMBER, ADDRESS = "Quarzfenster", "+493023125789", "127.83.62.41"
AUDIO = random.Random(1).randbytes(64)
CANARIES = Canaries({"word": WORD, "number": NUMBER, "address": ADDRESS}, {"audio": AUDIO})
AROUND = [b"", b"x", b"xy", b"xyz", b"\x00\xff\x00\x01\x02"]
WAYS: dict[str, Callable[[str], bytes]] = {
    "raw": lambda text: text.encode(),
    "upper": lambda text: text.upper().encode(),
    "lower": lambda text: text.lower().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "utf-16 hex": lambda text: text.encode("utf-16-le").hex().encode(),
    "json": lambda text: json.dumps({"said": text}).encode(),
    "percent": lambda text: urllib.parse.quote(text, safe="").encode(),
    "every percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
    "escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text).encode(),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("way", WAYS)
def test_a_planted_text_is_found_however_it_is_written(way: str, around: bytes) -> None:
    for what, text in (("word", WORD), ("number", NUMBER), ("address", ADDRESS)):
        found = CANARIES.leaks(around + WAYS[way](text) + around)
        assert {leak.canary for leak in found} == {what}


@pytest.mark.parametrize("before", AROUND)
@pytest.mark.parametrize("after", AROUND)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_hides_nothing_at_any_alignment(
    before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    for what, data in (
        ("word", WORD.encode()),
        ("number", NUMBER.encode("utf-16-le")),
        ("audio", AUDIO),
    ):
        found = CANARIES.leaks(encode(before + data + after))
        assert {leak.canary for leak in found} == {what}


def test_a_stretch_of_audio_is_found_as_it_is_and_in_hex() -> None:
    for written in (AUDIO, AUDIO.hex().encode()):
        (leak,) = CANARIES.leaks(b"...." + written)
        assert (leak.canary, leak.offset) == ("audio", 4)


def test_nothing_is_found_where_nothing_is() -> None:
    noise = random.Random(2).randbytes(1 << 20)
    assert CANARIES.leaks(noise + base64.b64encode(noise) + noise.hex().encode()) == []
    assert CANARIES.leaks(b"Quarz fenster 3023125 127.83.62.4") == []


def test_a_canary_that_chance_would_find_is_refused() -> None:
    with pytest.raises(ValueError, match="word"):
        Canaries({"word": "yes"})
