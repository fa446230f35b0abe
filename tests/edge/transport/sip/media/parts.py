"""Two phones' media in one process, over loopback sockets, in time that moves when told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from edge.media.frames import LISTEN_FRAME, LISTEN_RATE, Samples
from edge.media.ticker import Ticker
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.carrier import Patience
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from tests.edge.media.tones import tone
from tests.fakes.clock import FakeClock

PORTS = range(20_000, 60_000)
"""One free pair of them is taken at random."""


class HandTicker(Ticker):
    """Steps when told."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    def step(self) -> None:
        """What ``run`` does every 5 ms."""
        self._number += 1
        for each in list(self._steps):
            each()
        phase = self._phases[self._number % len(self._phases)]
        for tick in list(phase):
            if tick in phase:
                tick()


@dataclass
class Phone:
    """A leg and what came out of it."""

    leg: SipLeg
    frames: list[Samples] = field(default_factory=list)
    digits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leg.on_audio = self._hear
        self.leg.on_digit = self.digits.append

    def _hear(self, frame: Samples) -> None:
        assert frame.shape == (LISTEN_FRAME,)
        assert frame.dtype == np.int16
        self.frames.append(frame)

    def say(self, frequency: float, seconds: float) -> None:
        """Queue a tone."""
        self.leg.playout.push(tone(frequency, self.leg.playout.rate, seconds))

    def heard(self, seconds: float = 0.0) -> Samples:
        """Everything, or the last ``seconds``."""
        frames = self.frames[-round(seconds * 50) :]
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)


class World:
    """A clock, a ticker, and the media of a worker on each side."""

    def __init__(self, host: str = "127.0.0.1", *, patience: Patience | None = None) -> None:
        self.clock = FakeClock()
        self.ticker = HandTicker()
        patience = patience or Patience()
        self.ours, self.theirs = (
            SipMedia(host, PORTS, None, self.ticker, self.clock, patience=patience)
            for _ in range(2)
        )

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> None:
        """Let time pass in steps of 5 ms; ``each`` is called before every one."""
        for _ in range(round(seconds * 200)):
            self.clock.advance(0.005)
            if each is not None:
                each()
            self.ticker.step()

    def call(
        self,
        theirs: MediaPolicy | None = None,
        ours: MediaPolicy | None = None,
    ) -> tuple[Phone, Phone]:
        """An established call: our phone, which was called, and theirs."""
        caller, offer = self.theirs.offer(theirs or MediaPolicy())
        called, answer = self.ours.answer(offer, ours or MediaPolicy())
        caller.accept(answer)
        called.establish()
        caller.establish()
        return Phone(called), Phone(caller)


@asynccontextmanager
async def world(
    host: str = "127.0.0.1", *, patience: Patience | None = None
) -> AsyncIterator[World]:
    """A world whose sockets are all closed at the end."""
    made = World(host, patience=patience)
    made.ours.start()
    made.theirs.start()
    try:
        yield made
    finally:
        await made.ours.close()
        await made.theirs.close()
        assert (made.ours.legs, made.theirs.legs) == (0, 0)
        assert (made.ours.ports.used, made.theirs.ports.used) == (0, 0)


def seconds(samples: Samples) -> float:
    """How long it lasts, at the listener's rate."""
    return len(samples) / LISTEN_RATE
