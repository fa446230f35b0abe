"""What a caller can measure without asking the edge: latency on the wire, gaps between packets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.media.frames import FRAME_MS, Samples

AUDIBLE_RMS = 104.0
"""Root mean square of a frame above which somebody would hear it: -50 dB of full scale."""

MUTE_SECONDS = 0.1
"""How long the agent must have been silent for the next audible frame to be an answer."""

MAX_GAPS = 100_000
"""Gaps kept: 33 minutes without silence."""


def audible(samples: Samples) -> bool:
    """Whether a frame is loud enough to be heard."""
    if not len(samples):
        return False
    wide = samples.astype(np.float64)
    return math.sqrt(float(np.dot(wide, wide)) / len(wide)) > AUDIBLE_RMS


def audible_span(samples: Samples, frame: int) -> tuple[int, int] | None:
    """The sample where the first audible frame begins and where the last one ends, or None."""
    heard = [
        start for start in range(0, len(samples), frame) if audible(samples[start : start + frame])
    ]
    if not heard:
        return None
    return heard[0], min(heard[-1] + frame, len(samples))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` (0..1) of ``values`` lie, nearest rank; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Latency:
    """One measurement; ``kind`` as in :class:`inland.caller.records.Wire`."""

    kind: str
    ms: float


class WireMeter:
    """Pairs what was sent with what came back. All times are seconds of one clock."""

    def __init__(self) -> None:
        self.first_audible_since_move: float | None = None
        self.last_audible: float | None = None
        self._asked_at: float | None = None
        self._barged_at: float | None = None
        self._barge_open = False

    def moved(self) -> None:
        """The caller makes a move: the agent's next audio is counted from here."""
        self.first_audible_since_move = None
        self._asked_at = None

    def barged(self, at: float) -> None:
        """The first audible frame of a barge-in left."""
        self._barged_at = at
        self._barge_open = True

    def asked(self, at: float) -> None:
        """The caller's last audible frame left. Nothing is measured while the agent still talks."""
        still_talking = self.last_audible is not None and at - self.last_audible < MUTE_SECONDS
        self._asked_at = None if still_talking else at

    def agent_frame(self, at: float, loud: bool) -> tuple[Latency, ...]:
        """A frame of the agent arrived."""
        if not loud:
            return ()
        found: tuple[Latency, ...] = self.silence(at)
        if self._asked_at is not None:
            found += (Latency("answer", (at - self._asked_at) * 1000),)
            self._asked_at = None
        self.last_audible = at
        if self.first_audible_since_move is None:
            self.first_audible_since_move = at
        return found

    def silence(self, now: float) -> tuple[Latency, ...]:
        """How long a barge-in took to silence the agent, once it has been silent long enough."""
        if not self._barge_open or self._barged_at is None or self.last_audible is None:
            return ()
        if now - max(self.last_audible, self._barged_at) < MUTE_SECONDS:
            return ()
        self._barge_open = False
        return (Latency("silence", max(0.0, self.last_audible - self._barged_at) * 1000),)


class GapMeter:
    """Milliseconds between packets that followed each other without a pause of the sender."""

    def __init__(self, rate: int) -> None:
        self._step = rate * FRAME_MS // 1000
        self._last: tuple[float, int] | None = None
        self.packets = 0
        self.gaps: list[float] = []

    def packet(self, at: float, timestamp: int) -> None:
        """A packet arrived at ``at`` seconds with this RTP timestamp (32 bits, RFC 3550)."""
        self.packets += 1
        if self._last is not None and len(self.gaps) < MAX_GAPS:
            before, stamp = self._last
            if (timestamp - stamp) & 0xFFFFFFFF == self._step:
                self.gaps.append((at - before) * 1000)
        self._last = (at, timestamp)
