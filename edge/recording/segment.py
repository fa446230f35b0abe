"""One sealed segment of a recording: FLAC in stereo behind a header, bound to its place."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import av
import numpy as np
import numpy.typing as npt
from pydantic import Field, StringConstraints, ValidationError

from edge.media.frames import LISTEN_FRAME, LISTEN_RATE, Samples, frame_samples
from edge.recording.archive import MAX_SEGMENT
from edge.recording.errors import Altered
from edge.recording.lane import LATEST, NEAR, Lane
from edge.recording.tap import Stretch
from edge.session.errors import SealError
from edge.session.seal import ClassKey, Sealer
from regions.models import DataClass, Strict

MAX_GAPS = 100
KIND = "recording"
Stereo = npt.NDArray[np.int16]
"""Shape ``(n, 2)``: the caller left, the agent right, at 16 kHz."""
Tick = Annotated[int, Field(ge=0)]
Why = Literal["ended", "law"]


class Header(Strict):
    """What a segment says of itself; sealed with its audio. Ticks are of 20 ms."""

    v: Literal[1] = 1
    number: Annotated[int, Field(ge=0)]
    began: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """When the leg's recording began (tick 0), Unix seconds."""
    begin: Tick
    end: Tick
    """Before this one. What lies between two segments was silent, unless it is in ``gaps``."""
    gaps: Annotated[tuple[tuple[Tick, Tick], ...], Field(max_length=MAX_GAPS)] = ()
    """What was not kept since the segment before, from and before which tick."""
    last: Why | None = None
    """The recording ends here, and why; without such a segment it was cut off."""
    skipped: Annotated[tuple[int, ...], Field(max_length=MAX_GAPS)] = ()
    """Of the last one: segments that were made and not kept."""
    name: Annotated[str, StringConstraints(max_length=64)]
    """The leg."""


class Press:
    """Turns stretches of one leg into plain segments, in order. Works in one thread at a time."""

    def __init__(self) -> None:
        self._caller = Lane(LISTEN_FRAME, late=LATEST)
        self._agent: Lane | None = None
        self._rate = LISTEN_RATE
        self._resampler: av.AudioResampler | None = None
        self._ready: Samples = np.zeros(0, np.int16)

    def lay(self, stretch: Stretch) -> Stereo:
        """Both sides of a stretch, aligned."""
        out = np.zeros(((stretch.end - stretch.begin) * LISTEN_FRAME, 2), np.int16)
        out[:, 0] = self._caller.lay(stretch.heard, stretch.begin, stretch.end)
        out[:, 1] = self._agents(stretch)
        return out

    def _agents(self, stretch: Stretch) -> Samples:
        if self._agent is None or (stretch.rate != self._rate and stretch.played):
            self._rate = stretch.rate
            self._agent = Lane(frame_samples(stretch.rate), late=NEAR)
            self._resampler = None
            self._ready = np.zeros(0, np.int16)
        laid = self._agent.lay(stretch.played, stretch.begin, stretch.end)
        if self._rate == LISTEN_RATE:
            return laid
        if self._resampler is None:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=LISTEN_RATE)
        frame = av.AudioFrame.from_ndarray(laid.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate
        parts = [part.to_ndarray().reshape(-1) for part in self._resampler.resample(frame)]
        ready = np.concatenate((self._ready, *parts)).astype(np.int16)
        wanted = (stretch.end - stretch.begin) * LISTEN_FRAME
        # The filter holds some samples back, about a millisecond: once, at the beginning.
        ready = np.concatenate((np.zeros(max(0, wanted - len(ready)), np.int16), ready))
        self._ready = ready[wanted:]
        return ready[:wanted]


def encode(audio: Stereo) -> bytes:
    """FLAC of a segment; b"" of none at all."""
    if not len(audio):
        return b""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream: Any = file.add_stream("flac", rate=LISTEN_RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(audio).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate = LISTEN_RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return out.getvalue()


def decode(flac: bytes, ticks: int) -> Stereo:
    """The audio of ``ticks`` ticks. Raises ``Altered`` when it is not as long as that."""
    pieces = list(_decoded(flac)) if flac else []
    audio = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.int16)
    if len(audio) != ticks * LISTEN_FRAME:
        raise Altered("a segment has not the audio that it says")
    return audio


def _decoded(flac: bytes) -> Iterator[Stereo]:
    try:
        with av.open(io.BytesIO(flac), "r", format="flac") as file:
            for frame in file.decode(audio=0):
                yield frame.to_ndarray().reshape(-1, 2).astype(np.int16)
    except (av.FFmpegError, ValueError) as error:
        raise Altered("a segment holds no audio that can be read") from error


class SegmentSeal:
    """Seals the segments of one leg, and opens them at their place only.

    AES-256-GCM under the session's key for recordings; bound are the residency tag, the agent, the
    leg's name and the segment's number. Nonces are random, as :class:`~edge.session.seal.Sealer`
    has them.
    """

    def __init__(self, key: ClassKey, agent: str, leg: str) -> None:
        self._sealer = Sealer({DataClass.RECORDING: key}, agent)
        self._leg = leg

    def seal(self, header: Header, flac: bytes) -> bytes:
        """The sealed segment."""
        plain = header.model_dump_json(exclude_defaults=True).encode() + b"\n" + flac
        return self._sealer.seal(DataClass.RECORDING, KIND, self._place(header.number), plain)

    def open(self, number: int, sealed: bytes) -> tuple[Header, bytes]:
        """Header and FLAC. Raises ``Altered``, ``KeyDestroyed``."""
        if len(sealed) > MAX_SEGMENT:
            raise Altered(f"segment {number}: is longer than any")
        try:
            plain = self._sealer.open(DataClass.RECORDING, KIND, self._place(number), sealed)
            head, _, flac = plain.partition(b"\n")
            header = Header.model_validate_json(head)
        except SealError as error:
            raise Altered(f"segment {number}: is not what was sealed there") from error
        except ValidationError as error:
            raise Altered(f"segment {number}: is of an unknown format") from error
        if (header.name, header.number) != (self._leg, number) or header.begin > header.end:
            raise Altered(f"segment {number}: says that it is another")
        return header, flac

    def _place(self, number: int) -> str:
        return f"{self._leg}/{number}"
