"""What the tests of recordings share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edge.ledger import Ledger, Place
from edge.media.frames import LISTEN_FRAME, Samples
from edge.recorded import Recordings
from edge.recording.archive import LegName, session_folder
from edge.recording.errors import NoRecording
from edge.recording.recorder import Recorder, RecorderParts, RecordingCounts
from edge.recording.segment import SegmentSeal
from edge.recording.tap import Tap
from edge.session.seal import ClassKey
from regions.law import Law
from regions.models import DataClass
from tests.edge.session.parts import EU, NOW, SESSION, ManualClock, tag_for

TENANT = "clinic"
ENDS = int(NOW) + 3600
FOLDER = session_folder(TENANT, SESSION)
KEY = ClassKey(b"r" * 32, tag_for().for_class(DataClass.RECORDING))
LEG = LegName(1, ENDS, f"0001-{ENDS:012d}-00000001")
TICK = 0.02


def frame(value: int, samples: int = LISTEN_FRAME) -> Samples:
    """A frame that is told from others."""
    return np.full(samples, value, np.int16)


def lane_of(audio: npt.NDArray[np.int16], side: int) -> list[int]:
    """The first sample of each tick of one side."""
    return [int(value) for value in audio[::LISTEN_FRAME, side]]


class MemoryArchive:
    """An archive that remembers, fails, or waits, as a test says."""

    def __init__(self) -> None:
        self.place = Place("bucket", "memory", EU)
        self.kept: dict[str, bytes] = {}
        self.failing: Exception | None = None
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.changed = asyncio.Event()

    async def check(self) -> None:
        pass

    async def put(self, name: str, body: bytes) -> None:
        self.asked.set()
        await self.open.wait()
        if self.failing is not None:
            raise self.failing
        self.kept[name] = body
        self.changed.set()

    async def has(self, name: str) -> None:
        """Returns when there is something of that name."""
        while name not in self.kept:
            self.changed.clear()
            await self.changed.wait()

    async def get(self, name: str) -> bytes:
        if name not in self.kept:
            raise NoRecording("there is no such segment")
        return self.kept[name]

    async def names(self, under: str, most: int | None = None) -> tuple[str, ...]:
        return tuple(sorted(name for name in self.kept if name.startswith(under))[:most])

    async def delete(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.kept.pop(name, None)

    async def close(self) -> None:
        pass


@dataclass
class Stage:
    """A recorder over an archive of its own; ``clock`` moves when a test says."""

    archive: MemoryArchive = field(default_factory=MemoryArchive)
    clock: ManualClock = field(default_factory=ManualClock)
    refusal: str | None = None
    rate: int = 24_000
    leg: LegName = LEG
    on_law: list[Callable[[Law], None]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    lost: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.clock)
        self.thread = ThreadPoolExecutor(1)
        self.began = self.clock.now
        self.recorder = Recorder(
            RecorderParts(
                tap=Tap(self.clock, lambda: self.rate),
                archive=self.archive,
                seal=SegmentSeal(KEY, "reception", self.leg.text),
                leg=self.leg,
                folder=FOLDER,
                thread=self.thread,
                ledger=self.ledger,
                host=Place("host", "a", EU),
                counts=RecordingCounts(self.sizes.append, self._lost),
                clock=self.clock,
                refusal=lambda: self.refusal,
                on_law=self.on_law,
            )
        )
        self.recorder.begin()

    def _lost(self) -> None:
        self.lost += 1

    def talk(self, first: int, last: int, *, agent: bool = True) -> None:
        """Both sides say something in every tick from ``first`` to before ``last``."""
        for tick in range(first, last):
            self.clock.now = self.began + (tick + 0.5) * TICK
            self.recorder.tap.heard(frame(1000 + tick % 500))
            if agent:
                self.recorder.tap.played(frame(-1000 - tick % 500, self.rate // 50))

    async def pressed(self) -> None:
        """Returns when the thread has done all that it was given."""
        await asyncio.get_running_loop().run_in_executor(self.thread, lambda: None)
        await asyncio.sleep(0)


def no_recordings() -> Recordings:
    """Of a node that keeps none."""
    nothing = cast(Any, SimpleNamespace(region=EU, recordings=None))
    none = cast(Any, None)
    return Recordings(nothing, None, none, none, none, none)
