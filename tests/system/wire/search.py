"""Looks through everything that was captured for what was said and heard in calls."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from edge.media.frames import Samples
from tests.fakes.canary import Canaries
from tests.system.wire.audio import SAME, WINDOW, Likeness, Voices, sounds_in, sounds_of_packets
from tests.system.wire.flows import Flow, Way
from tests.system.wire.pcap import Frame

INFLATED = 1 << 20
"""Bytes that a compressed piece is opened to at most."""
LONG = 1024
"""Characters from which a run of base64 or hexadecimal may hold sound."""
_DEFLATED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % LONG)
_HEX = re.compile(rb"[0-9A-Fa-f]{%d,}" % LONG)
_BREAKS = re.compile(rb"\\r|\\n|\r|\n")
_CHUNK = re.compile(rb"(?:^|\r\n)[0-9A-Fa-f]{1,8}(?:;[^\r\n]*)?\r\n")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a call: which flow it was in (None: only a frame by itself), what, and how."""

    way: Way | None
    what: str
    written: str

    def __str__(self) -> str:
        return f"{self.what} as {self.written} in {self.way or 'a frame'}"


class Search:
    """``texts`` and ``sounds`` (16-bit mono, 8 kHz) by what they are."""

    def __init__(self, texts: Mapping[str, str], sounds: Mapping[str, Samples]) -> None:
        self._canaries = Canaries(texts)
        self._voices = Voices(sounds)
        self.nearest = Likeness("nobody", 0.0)
        """Of all sounds that were compared and found to be different, the most alike."""

    def findings(self, found: Iterable[Flow], frames: Iterable[Frame]) -> list[Finding]:
        """Everything of the calls in these flows, and in any frame by itself."""
        seen: dict[Finding, None] = {}
        for flow in found:
            for what, written in self._in_flow(flow):
                seen.setdefault(Finding(flow.way, what, written))
        whole = b"\0\0".join(frame.data for frame in frames)
        for leak in self._canaries.leaks(whole):
            if not any(one.what == leak.canary and one.way is not None for one in seen):
                seen.setdefault(Finding(None, leak.canary, leak.written))
        return list(seen)

    def _in_flow(self, flow: Flow) -> Iterator[tuple[str, str]]:
        datagrams = flow.datagrams if flow.way.protocol != 6 else []
        for stream in flow.streams:
            for how, view in views(stream):
                for leak in self._canaries.leaks(view):
                    yield leak.canary, f"{leak.written}{how}"
                yield from self._heard(sounds_in(view), how)
        yield from self._heard(sounds_of_packets(datagrams), "")

    def _heard(self, sounds: Iterable[tuple[str, Samples]], how: str) -> Iterator[tuple[str, str]]:
        for codec, sound in sounds:
            if len(sound) < WINDOW:
                continue
            likeness = self._voices.likeness(sound)
            if likeness.correlation >= SAME:
                yield f"voice of {likeness.whose}", f"{codec}{how}"
            elif likeness.correlation > self.nearest.correlation:
                self.nearest = likeness


def views(data: bytes) -> Iterator[tuple[str, bytes]]:
    """``data`` as it is, and what is written inside it in another way, twice over."""
    yield "", data
    for how, inner in _inside(data):
        yield f", {how}", inner
        for again, innermost in _inside(inner):
            yield f", {again}, {how}", innermost


def _inside(data: bytes) -> Iterator[tuple[str, bytes]]:
    plain = _CHUNK.sub(b"", data)
    if len(plain) != len(data):
        yield "chunked", plain
    for match in _DEFLATED.finditer(data):
        if inflated := _inflated(data[match.start() :]):
            yield "compressed", inflated
    unbroken = _BREAKS.sub(b"", data)
    for match in _HEX.finditer(unbroken):
        yield "hexadecimal", binascii.unhexlify(match[0][: len(match[0]) // 2 * 2])
    for match in _BASE64.finditer(unbroken):
        if _HEX.fullmatch(match[0]):
            continue
        run = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for shift in range(4):  # it may begin within other letters
            whole = run[shift : len(run) - (len(run) - shift) % 4]
            yield "base64", base64.b64decode(whole)


def _inflated(data: bytes) -> bytes:
    """What a gzip or zlib stream at the beginning of ``data`` holds, as far as it can be read."""
    opener, opened = zlib.decompressobj(wbits=47), b""
    try:
        # In small steps: what comes before a broken byte still counts.
        for start in range(0, len(data), 64):
            opened += opener.decompress(data[start : start + 64], INFLATED - len(opened))
            if opener.eof or len(opened) >= INFLATED:
                break
    except zlib.error:
        pass
    return opened
