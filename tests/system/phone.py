"""A person with a telephone: listens until the agent has finished, and speaks."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from edge.clock import SystemClock
from edge.media.frames import Samples
from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.events import Ended, Offered
from edge.transport.sip.media.agreement import MediaPolicy
from inland.caller.meter import audible
from inland.caller.mouth import Mouth
from inland.caller.utterances import levelled, load_sound, resampled
from inland.phone.telephone import PhoneLine, Telephone, telephone
from tests.system.world import HANG_SECONDS

HOST = "127.0.0.1"
QUIET_FRAMES = 75
"""Frames of 20 ms without sound after which the agent has finished: on a busy machine, a sentence
may come some time after the one before."""


class Caller:
    """One call from a telephone. Frames are counted, so that no test sleeps."""

    def __init__(self, line: PhoneLine) -> None:
        self.line = line
        self.frames = 0
        self.loud = 0
        self._quiet = 0
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._mouth = Mouth(line.leg.playout, self._look, self._look)
        line.leg.on_audio = self._hear

    async def until(self, true: Callable[[], bool], seconds: float = HANG_SECONDS) -> None:
        """Returns as soon as ``true()``, looked at with each frame."""
        if true():
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append((true, waiting))
        async with asyncio.timeout(seconds):
            await waiting

    async def answered(self) -> None:
        """Returns when the agent has answered the telephone."""
        async with asyncio.timeout(HANG_SECONDS):
            await self.line.answered()
        assert self.line.stands, await self.line.over()

    async def hears(self, frames: int = 10) -> None:
        """Returns when that many more audible frames came."""
        target = self.loud + frames
        await self.until(lambda: self.loud >= target)

    async def agent_finished(self) -> None:
        """Returns when the agent has spoken, after our last word, and then fallen silent."""
        await self.hears(10)
        await self.until(lambda: self._quiet >= QUIET_FRAMES)

    async def says(self, sound: Samples) -> None:
        """Say it (24 kHz mono); returns when the agent has answered."""
        self._mouth.say(resampled(sound, self.line.leg.playout.rate))
        await self.until(lambda: not self._mouth.busy)
        await self.agent_finished()

    async def presses(self, digits: str) -> None:
        """Press keys; returns when the agent has answered."""
        self.line.leg.send_digits(digits)
        await self.agent_finished()

    async def hangs_up(self) -> Ended:
        """End the call."""
        self.line.hang_up()
        return await self.line.over()

    async def moved(self) -> None:
        """Returns when the far end has offered other media."""
        offered = asyncio.Event()

        def happened(event: object) -> None:
            if isinstance(event, Offered):
                offered.set()

        self.line.on_event = happened
        async with asyncio.timeout(HANG_SECONDS):
            await offered.wait()

    def _hear(self, frame: Samples) -> None:
        self.frames += 1
        if audible(frame):
            self.loud += 1
            self._quiet = 0
        else:
            self._quiet += 1
        self._look()

    def _look(self) -> None:
        for true, waiting in list(self._watchers):
            if not waiting.done() and true():
                waiting.set_result(None)
                self._watchers.remove((true, waiting))


@asynccontextmanager
async def desk_phone(*codecs: CodecName, host: str = HOST) -> AsyncIterator[Telephone]:
    """A telephone that speaks these codecs, PCMU by default."""
    policy = MediaPolicy(codecs=codecs or ("pcmu",))
    async with telephone(host=host, policy=policy, clock=SystemClock()) as found:
        yield found


def spoken(words: str, folder: Path, program: str, voice: str = "rms") -> Samples:
    """``words`` by flite, 24 kHz mono."""
    sound = folder / "words.wav"
    subprocess.run(
        [program, "-voice", voice, "-t", words, "-o", str(sound)], check=True, timeout=60
    )
    return levelled(load_sound(sound))
