"""Finds what must not be somewhere, however it is written: the canaries of a test."""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

SHORTEST = 6
"""Bytes of a canary below which chance would find it."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A canary that was found: which, how it was written, and at which byte."""

    canary: str
    written: str
    offset: int


class Canaries:
    """``texts`` by what they are; ``samples`` are bytes, such as a stretch of audio.

    A text is looked for as UTF-8 and UTF-16 of either order, each as it is, in hexadecimal, in
    base64 of both alphabets at every alignment, in percent-encoding and in JSON's escapes, whatever
    the case of its letters. A sample is looked for as it is, in hexadecimal and in base64.
    """

    def __init__(
        self, texts: Mapping[str, str], samples: Mapping[str, bytes] | None = None
    ) -> None:
        self._texts = dict(texts)
        self._samples = dict(samples or {})
        for what, canary in (*self._texts.items(), *self._samples.items()):
            if len(canary) < SHORTEST:
                raise ValueError(f"{what}: a canary has {SHORTEST} bytes or more")

    def leaks(self, data: bytes) -> list[Leak]:
        """Everything of them in ``data``, one for each way it is written."""
        plain = data.lower()
        found = [
            Leak(what, written, at)
            for what, written, needle, exact in self._needles
            if (at := (data if exact else plain).find(needle)) >= 0
        ]
        return sorted(found, key=lambda leak: (leak.offset, leak.canary, leak.written))

    @cached_property
    def _needles(self) -> tuple[tuple[str, str, bytes, bool], ...]:
        """What, how, the bytes, and whether the case of letters counts."""
        found: dict[tuple[str, str, bytes, bool], None] = {}
        for what, text in self._texts.items():
            for spelled in {text, text.lower(), text.upper(), text.title()}:
                found |= dict.fromkeys(_written(what, spelled))
        for what, sample in self._samples.items():
            found |= dict.fromkeys(_bytes(what, "raw", sample, exact=True))
        return tuple(found)


def _written(what: str, text: str) -> Iterator[tuple[str, str, bytes, bool]]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield from _bytes(what, encoding, text.encode(encoding), exact=False)
    escapes = "".join(f"\\u{ord(char):04x}" for char in text)
    yield what, "json", json.dumps(text)[1:-1].lower().encode(), False
    yield what, "json escapes", escapes.encode(), False
    yield what, "percent", urllib.parse.quote(text, safe="").lower().encode(), False
    every = "".join(f"%{byte:02x}" for byte in text.encode())
    yield what, "percent", every.encode(), False


def _bytes(
    what: str, encoding: str, data: bytes, *, exact: bool
) -> Iterator[tuple[str, str, bytes, bool]]:
    yield what, encoding, data if exact else data.lower(), exact
    yield what, f"{encoding} hex", binascii.hexlify(data), False
    for shift in range(3):
        piece = _base64(data, shift)
        yield what, f"{encoding} base64", piece, True
        yield what, f"{encoding} base64", piece.translate(bytes.maketrans(b"+/", b"-_")), True


def _base64(data: bytes, shift: int) -> bytes:
    """What of ``data`` in base64 is the same whatever stands before and after it.

    It begins ``shift`` bytes into a group of three: characters that also hold bits of a neighbour
    are cut off.
    """
    text = base64.b64encode(b"\0" * shift + data).rstrip(b"=")
    begin = (0, 2, 3)[shift]
    end = len(text) if (shift + len(data)) % 3 == 0 else len(text) - 1
    return text[begin:end]
