"""espeak-ng, in process, by ctypes on the shared library that ``espeakng-loader`` ships.

GPL-3: imported by the voice worker only. The functions, events and flags are those of espeak-ng's
``speak_lib.h``; output is synchronous, so a call returns when all audio was handed to the callback.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import espeakng_loader
import numpy as np

from edge.media.frames import Samples
from edge.media.playout import Mark
from edge.speech.voices.engine import Clip, EngineError, languages_of, plain, speech_end

WORDS_PER_MINUTE = 165
"""Slower than espeak-ng's 175: an agent is heard once, often on a bad line."""

_MAX_SECONDS = 120
"""More audio than any piece can make: the synthesis is broken, stop it."""
_OUTPUT_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_TEXT_IS_UTF8 = 1  # and neither SSML (0x10) nor phonemes (0x100): text is plain
_RATE = 1
_EVENT_WORD = 1
_STANDS_FOR = {
    "en": "en-us",
    "en-au": "en-gb",
    "en-ie": "en-gb",
    "en-in": "en-gb",
    "en-nz": "en-gb",
    "en-za": "en-gb",
    "iw": "he",
    "nn": "nb",
    "zh-hk": "yue",
}
"""BCP 47 tags whose voice is not the one that espeak-ng itself would choose."""

_lock = threading.Lock()
"""The library has one global state per process."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(slots=True)
class _Take:
    """What one synthesis has produced so far."""

    cancelled: Callable[[], bool]
    limit: int
    pcm: bytearray = field(default_factory=bytearray)
    words: list[tuple[int, int]] = field(default_factory=list)
    """(position in the text in characters, sample), as reported."""


class Espeak:
    """The embedded voice: over a hundred languages, a few milliseconds for a sentence."""

    name = "espeak"
    piece = 300
    eager = False

    def __init__(self) -> None:
        """Load the library. Raises ``EngineError`` when its data is not where it should be."""
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        self._library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
        self._take: _Take | None = None
        self._callback = _Callback(self._on_audio)
        with _lock:
            data = espeakng_loader.get_data_path().encode()
            self._rate = self._library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data, _DO_NOT_EXIT)
            if self._rate <= 0:
                raise EngineError("espeak-ng found no voice data: reinstall espeakng-loader")
            self._library.espeak_SetSynthCallback(self._callback)
            self._voices = self._list_voices()

    def speaks(self, language: str) -> bool:
        return self.voice(language) is not None

    def warm(self, language: str) -> None:
        self.synthesize("a", language, lambda: False)

    def synthesize(self, text: str, language: str, cancelled: Callable[[], bool]) -> Clip:
        voice = self.voice(language)
        if voice is None:
            raise EngineError(f"espeak-ng has no voice for {language!r}")
        encoded = plain(text).encode()
        with _lock:
            take = self._take = _Take(cancelled, _MAX_SECONDS * self._rate * 2)
            self._library.espeak_SetSynthCallback(self._callback)
            try:
                if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                    raise EngineError(f"espeak-ng cannot load its voice {voice!r}")
                self._library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0)
                status = self._library.espeak_Synth(
                    encoded, len(encoded) + 1, 0, 0, 0, _TEXT_IS_UTF8, None, None
                )
            finally:
                self._take = None
        if status != 0:
            raise EngineError(f"espeak-ng failed with status {status}")
        samples = np.frombuffer(bytes(take.pcm), np.int16)
        return Clip(samples, self._rate, _marks(text, take.words, samples))

    def _on_audio(self, audio: int | None, count: int, events: ctypes._Pointer[_Event]) -> int:
        """Called by C for every buffer: 0 goes on, 1 stops. Must not raise into C."""
        take = self._take
        try:
            if take is None or take.cancelled() or len(take.pcm) > take.limit:
                return 1
            if audio and count > 0:
                take.pcm += ctypes.string_at(audio, count * 2)
            index = 0
            while events[index].type != 0:
                event = events[index]
                if event.type == _EVENT_WORD:
                    take.words.append((event.text_position - 1, event.sample))
                index += 1
        except Exception:
            # ctypes would print it and go on with a made-up return value.
            return 1
        return 0

    def _list_voices(self) -> dict[str, str]:
        """Language tag to the identifier of its voice; the lowest priority number wins."""
        function = self._library.espeak_ListVoices
        function.argtypes = (ctypes.c_void_p,)
        function.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        voices = function(None)
        best: dict[str, tuple[int, str]] = {}
        index = 0
        while voices[index]:
            identifier = voices[index].contents.identifier.decode()
            for priority, tag in _tags(voices[index].contents.languages):
                if tag not in best or priority < best[tag][0]:
                    best[tag] = (priority, identifier)
            index += 1
        return {tag: identifier for tag, (_, identifier) in best.items()}

    def voice(self, language: str) -> str | None:
        """The identifier of the voice that speaks ``language``, or None."""
        for tag in languages_of(language):
            for name in (_STANDS_FOR.get(tag, tag), tag):
                if name in self._voices:
                    return self._voices[name]
        return None


def _tags(address: int) -> Iterator[tuple[int, str]]:
    """A voice's languages: a priority byte and a zero-ended tag each, ended by a zero byte."""
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode().lower()
        address += len(tag) + 2


def _marks(text: str, words: list[tuple[int, int]], samples: Samples) -> tuple[Mark, ...]:
    """A mark where each word ends, from where espeak-ng says that each begins."""
    starts: list[tuple[int, int]] = []
    for position, sample in words:
        # A number is reported once per word it is read as, at odd positions: keep what moves on.
        if position >= len(text) or (starts and position <= starts[-1][0]):
            continue
        if position > 0 and text[position - 1].isalnum() and ord(text[position - 1]) < 0x2E80:
            continue
        starts.append((max(0, position), min(sample, len(samples))))
    if not starts:
        return (Mark(len(samples), text),) if text else ()
    ends = [*starts[1:], (len(text), len(samples))]
    marks: list[Mark] = []
    said = 0
    for (_, begin), (position, until) in zip(starts, ends, strict=True):
        marks.append(Mark(speech_end(samples, begin, until), text[said:position]))
        said = position
    return tuple(marks)
