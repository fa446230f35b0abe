"""A telephone that is called: what happens at its end is a test's to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from edge.clock import SystemClock
from edge.media.frames import Samples
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.net.settings import ServerTls
from inland.caller.meter import audible
from inland.caller.script import Script
from inland.caller.utterances import Utterances
from inland.phone.call import PhoneCaller
from inland.phone.options import PhoneOptions
from inland.phone.records import PhoneEnded, PhoneRecord
from inland.phone.telephone import PhoneLine, Telephone, telephone
from tests.fakes.talking_edge import ToneVoice

HOST = "127.0.0.1"
HANG_SECONDS = 60.0
WORD_FRAMES, QUIET_FRAMES = 3, 10
"""Of 20 ms: what an agent takes for a word, and for its end."""


def tone(seconds: float, rate: int) -> Samples:
    """A tone at the level of speech."""
    t = np.arange(round(seconds * rate)) / rate
    return (4000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)


class Agent:
    """One call that was taken: says ``word`` at once, and again after each thing that it hears."""

    def __init__(self, line: PhoneLine, word: float = 0.2) -> None:
        self.line = line
        self.keys = ""
        self.loud = 0
        self._word = word
        self._heard = 0
        self._quiet = 0
        line.leg.on_audio = self._hear
        line.leg.on_digit = self._key

    def say(self) -> None:
        """A tone."""
        playout = self.line.leg.playout
        playout.push(tone(self._word, playout.rate))

    def _key(self, key: str) -> None:
        self.keys += key
        self._heard = WORD_FRAMES

    def _hear(self, frame: Samples) -> None:
        if audible(frame):
            self.loud += 1
            self._heard += 1
            self._quiet = 0
            return
        self._quiet += 1
        if self._heard >= WORD_FRAMES and self._quiet >= QUIET_FRAMES:
            self._heard = 0
            self.say()


Ring = Callable[[Telephone, Session], None]


@asynccontextmanager
async def answering(
    ring: Ring,
    policy: MediaPolicy | None = None,
    own_tls: ServerTls | None = None,
    host: str = HOST,
) -> AsyncIterator[Telephone]:
    """A telephone at which ``ring`` is called with each call that comes in."""
    async with telephone(
        host=host, policy=policy or MediaPolicy(), clock=SystemClock(), own_tls=own_tls
    ) as phone:
        phone.on_ring = lambda session: ring(phone, session)
        yield phone


class Taken:
    """Takes each call and greets."""

    def __init__(self, word: float = 0.2) -> None:
        self.agents: list[Agent] = []
        self._word = word

    def __call__(self, phone: Telephone, session: Session) -> None:
        agent = Agent(phone.pick_up(session), self._word)
        self.agents.append(agent)
        agent.say()


async def call(
    target: str,
    script: Script | None = None,
    *,
    on_record: Callable[[PhoneCaller, PhoneRecord], None] | None = None,
    **options: object,
) -> tuple[PhoneEnded, list[PhoneRecord]]:
    """Call ``target``; the last record, and all of them."""
    records: list[PhoneRecord] = []

    def show(record: PhoneRecord) -> None:
        records.append(record)
        if on_record is not None:
            on_record(caller, record)

    settings = PhoneOptions(target=target, **options)  # type: ignore[arg-type]
    caller = PhoneCaller(settings, Utterances(ToneVoice()), on_record=show)
    async with asyncio.timeout(HANG_SECONDS):
        ended = await caller.run(script or Script())
    return ended, records
