"""Opus (RFC 6716) by libopus itself: mono, 16-bit, one packet in and one frame out.

PyAV's codec layer costs several times the codec, so the system library is called directly, or the
copy that PyAV ships when the system has none.

Errors::

    OpusError
    ├── OpusUnavailable   no libopus on this machine: install it; a retry cannot help
    └── OpusFault         the library refused a packet or a setting: the next packet may be fine
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edge.media.frames import FRAME_MS, Samples, frame_samples

MAX_PACKET_MS = 120
"""Longest Opus packet (RFC 6716 section 3.2.5)."""

MAX_PACKET_BYTES = 1275
"""Longest Opus frame (RFC 6716 section 3.4)."""

_SYSTEM_NAMES = ("libopus.so.0", "libopus.0.dylib")
_APPLICATION_VOIP = 2048
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_RESET_STATE = 4028
_EXPECTED_LOSS_PERCENT = 5


class OpusError(Exception):
    """Opus could not be used."""


class OpusUnavailable(OpusError):
    """No libopus was found."""


class OpusFault(OpusError):
    """libopus answered with an error; ``code`` is its number (RFC 6716's reference code)."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what} failed with libopus error {code}")
        self.code = code


class OpusDecoder:
    """Decodes one stream to mono PCM at ``rate`` Hz (8, 12, 16, 24 or 48 kHz).

    Stereo packets are mixed down by the library. ``close`` frees the state; a closed decoder
    raises :class:`OpusFault`.
    """

    def __init__(self, rate: int) -> None:
        self._lib = _library()
        code = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(rate, 1, ctypes.byref(code))
        _check("opus_decoder_create", code.value)
        self._pcm = np.zeros(rate * MAX_PACKET_MS // 1000, np.int16)
        self._address = self._pcm.ctypes.data

    def decode(self, payload: bytes) -> Samples:
        """One packet as samples. Raises :class:`OpusFault` when it is not Opus."""
        return self._decode(payload, len(payload), len(self._pcm), 0)

    def conceal(self, samples: int, following: bytes | None = None) -> Samples:
        """``samples`` (a multiple of 2.5 ms) in place of a lost packet.

        ``following`` is the packet right after the loss: if it carries in-band forward error
        correction, the lost speech is recovered from it, otherwise it is extrapolated.
        """
        if following is None:
            return self._decode(None, 0, samples, 0)
        return self._decode(following, len(following), samples, 1)

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        if self._state:
            _check("opus_decoder_ctl", self._lib.opus_decoder_ctl(self._state, _RESET_STATE))

    def close(self) -> None:
        """Free the decoder. Idempotent."""
        if self._state:
            self._lib.opus_decoder_destroy(self._state)
            self._state = None

    def _decode(self, payload: bytes | None, length: int, room: int, fec: int) -> Samples:
        if not self._state:
            raise OpusFault("decode after close", -6)
        count = self._lib.opus_decode(self._state, payload, length, self._address, room, fec)
        _check("opus_decode", count)
        return self._pcm[:count].copy()

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self.close()


class OpusEncoder:
    """Encodes 20 ms frames of mono PCM at ``rate`` Hz.

    ``bitrate`` is in bit/s, ``complexity`` 0 to 10. Discontinuous transmission stays off: the
    sender decides when to be silent.
    """

    def __init__(
        self, rate: int, *, bitrate: int = 28_000, complexity: int = 5, inband_fec: bool = True
    ) -> None:
        self._lib = _library()
        self._samples = frame_samples(rate)
        code = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(rate, 1, _APPLICATION_VOIP, ctypes.byref(code))
        _check("opus_encoder_create", code.value)
        self._packet = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self._address = ctypes.addressof(self._packet)
        settings = (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, complexity),
            (_SET_INBAND_FEC, int(inband_fec)),
            (_SET_PACKET_LOSS_PERC, _EXPECTED_LOSS_PERCENT if inband_fec else 0),
            (_SET_DTX, 0),
        )
        try:
            for request, value in settings:
                _check(
                    "opus_encoder_ctl",
                    self._lib.opus_encoder_ctl(self._state, request, ctypes.c_int(value)),
                )
        except OpusFault:
            self.close()
            raise

    def encode(self, samples: Samples) -> bytes:
        """One packet. ``samples`` is exactly one 20 ms frame, else ``ValueError``."""
        if len(samples) != self._samples:
            raise ValueError(f"{len(samples)} samples are not one frame of {FRAME_MS} ms")
        if not self._state:
            raise OpusFault("encode after close", -6)
        pcm = np.ascontiguousarray(samples, np.int16)
        size = self._lib.opus_encode(
            self._state, pcm.ctypes.data, self._samples, self._address, MAX_PACKET_BYTES
        )
        _check("opus_encode", size)
        return ctypes.string_at(self._address, size)

    def close(self) -> None:
        """Free the encoder. Idempotent."""
        if self._state:
            self._lib.opus_encoder_destroy(self._state)
            self._state = None

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self.close()


def packet_samples(payload: bytes, rate: int) -> int:
    """Duration of a packet in samples at ``rate``, from its first bytes (RFC 6716 section 3.1).

    Raises :class:`OpusFault` when they make no sense.
    """
    count = int(_library().opus_packet_get_nb_samples(payload, len(payload), rate))
    _check("opus_packet_get_nb_samples", count)
    return count


def _check(what: str, code: int) -> None:
    if code < 0:
        raise OpusFault(what, code)


@cache
def _library() -> ctypes.PyDLL:
    for name in (*_SYSTEM_NAMES, *_shipped_with_pyav()):
        try:
            # PyDLL keeps the interpreter lock: a call takes about 0.1 ms, and giving the lock away
            # for that can cost 5 ms to get it back from a busy thread.
            library = ctypes.PyDLL(name)
        except OSError:
            continue
        return _declare(library)
    raise OpusUnavailable("no libopus: install the system's libopus0 or the package av")


def _shipped_with_pyav() -> list[str]:
    spec = find_spec("av")
    if spec is None or spec.origin is None:
        return []
    site = Path(spec.origin).parent
    folders = (site.parent / "av.libs", site / ".dylibs")
    return [str(path) for folder in folders for path in sorted(folder.glob("libopus*"))]


def _declare(library: ctypes.PyDLL) -> ctypes.PyDLL:
    pointer, number, packet = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    library.opus_decoder_create.restype = pointer
    library.opus_decoder_create.argtypes = [number, number, pointer]
    library.opus_decoder_destroy.restype = None
    library.opus_decoder_destroy.argtypes = [pointer]
    library.opus_decode.argtypes = [pointer, packet, number, pointer, number, number]
    library.opus_decoder_ctl.argtypes = [pointer, number]
    library.opus_encoder_create.restype = pointer
    library.opus_encoder_create.argtypes = [number, number, number, pointer]
    library.opus_encoder_destroy.restype = None
    library.opus_encoder_destroy.argtypes = [pointer]
    library.opus_encoder_ctl.argtypes = [pointer, number]
    library.opus_encode.argtypes = [pointer, pointer, number, pointer, number]
    library.opus_packet_get_nb_samples.argtypes = [packet, number, number]
    return library
