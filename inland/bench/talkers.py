"""Callers who hold conversations, in one process: ``inland call`` many times at once.

``python -m inland.bench.talkers``: order ``{"control_plane", "country", "calls", "rounds"}``;
questions ``connect``, ``begin``, ``end``, and ``until`` with a number of ``answers``. A call that
has come to its end is followed by another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from edge.media.ticker import Ticker
from inland.bench import child
from inland.bench.conversation import conversation
from inland.bench.errors import BenchError
from inland.caller.errors import CallerError
from inland.caller.options import CallOptions
from inland.caller.records import CallerHeard, Connected, Record, Said, Timings, Wire
from inland.caller.script import Speak
from inland.caller.session import HeadlessCall
from inland.caller.utterances import Utterances, utterances

CALL_SECONDS = 3600.0
PATIENCE = 3
"""Calls in a row that may fail before the bench does."""
SPREAD_SECONDS = 6.0
"""Over which the first calls are placed: about as long as a turn."""
CLOSE_SECONDS = 8.0
STAGES = ("endpoint", "recognise", "think", "voice", "playout", "total")


@dataclass(slots=True)
class Tally:
    """What happened since it was made."""

    wire_ms: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    said: int = 0
    heard: int = 0
    understood: int = 0
    word_for_word: int = 0
    calls_ended: int = 0
    calls_failed: int = 0


class Talkers:
    """Keeps a number of calls going until it is closed."""

    def __init__(self, order: child.Json, voice: Utterances, ticker: Ticker) -> None:
        self.tally = Tally()
        self._calls: int = order["calls"]
        self._rounds: int = order["rounds"]
        self._options = CallOptions(
            control_plane=order["control_plane"],
            country=order["country"],
            timeout=CALL_SECONDS,
            reconnect=False,
        )
        self._voice = voice
        self._ticker = ticker
        self._live: dict[HeadlessCall, None] = {}
        self._connected: set[int] = set()
        self._changed = asyncio.Event()
        self._closing = False
        self._failure: str | None = None
        self._last_words = ""

    async def run(self) -> None:
        """Talk until :meth:`close`."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._calls):
                group.create_task(self._caller(number))

    def close(self) -> None:
        """Hang up everything."""
        self._closing = True
        for call in self._live:
            call.stop("the bench is over")

    async def respond(self, question: child.Json) -> child.Json:
        """See the module."""
        match question["ask"]:
            case "connect":
                await self._until(lambda: len(self._connected) == self._calls)
            case "begin":
                self.tally = Tally()
            case "until":
                await self._until(lambda: len(self.tally.wire_ms) >= question["answers"])
        return asdict(self.tally)

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            if self._failure is not None:
                raise BenchError(self._failure)
            self._changed.clear()
            await self._changed.wait()

    async def _caller(self, number: int) -> None:
        failures = 0
        round_ = 0
        # One after another: callers who all speak in the same instant are not what a node meets.
        await asyncio.sleep(number * SPREAD_SECONDS / self._calls)
        while not self._closing and failures < PATIENCE:
            if await self._call(number, round_):
                failures = 0
            else:
                failures += 1
            round_ += self._rounds
        if failures >= PATIENCE:
            self._failure = f"{PATIENCE} calls in a row failed, the last one: {self._last_words}"
            self._changed.set()

    async def _call(self, number: int, first_round: int) -> bool:
        script = conversation(number + first_round, self._rounds)
        said = ""

        def on_record(record: Record) -> None:
            nonlocal said
            if isinstance(record, Said):
                said = record.text
            self._take(record, number, said)

        call = HeadlessCall(self._options, self._voice, ticker=self._ticker, on_record=on_record)
        self._live[call] = None
        try:
            async with call:
                report = await call.run(script)
        except CallerError as error:
            self.tally.calls_failed += 1
            self._last_words = str(error)
            return False
        finally:
            del self._live[call]
        self.tally.calls_ended += 1
        if report.end_reason in ("lost", "error"):
            self.tally.calls_failed += 1
            self._last_words = report.why
            return False
        return True

    def _take(self, record: Record, number: int, said: str) -> None:
        tally = self.tally
        match record:
            case Said():
                tally.said += 1
            case CallerHeard(text=text, understood=understood):
                tally.heard += 1
                tally.understood += understood
                tally.word_for_word += text.split() == said.split()
            case Wire(kind="answer", ms=ms):
                tally.wire_ms.append(ms)
            case Timings():
                stages = asdict(record)
                tally.stages.append({name: stages[name] for name in STAGES})
            case Connected():
                self._connected.add(number)
            case _:
                return
        self._changed.set()


async def serve(order: child.Json) -> None:
    """Talk until standard input ends."""
    ticker = Ticker()
    async with utterances() as voice, asyncio.TaskGroup() as group:
        ticking = group.create_task(ticker.run())
        talkers = Talkers(order, voice, ticker)
        # Spoken before the first call, so that no caller synthesises while others are measured.
        for line in conversation(0, 50).everything:
            if isinstance(line, Speak):
                await voice.words(line.text)
        child.answer({"voice": voice.synthesiser.name, "note": voice.synthesiser.note})
        talking = group.create_task(talkers.run())
        try:
            await child.serve_questions(talkers.respond)
        finally:
            talkers.close()
            await asyncio.wait({talking}, timeout=CLOSE_SECONDS)
            talking.cancel()
            ticking.cancel()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
