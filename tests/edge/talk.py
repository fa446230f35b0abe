"""A conversation of which all but itself is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from edge.conversation import Conversation
from edge.events import (
    Act,
    Expectation,
    Heard,
    JsonValue,
    Partial,
    SpeechStarted,
    ToolCalled,
    ToolRecord,
    TransferFailure,
    Turn,
)
from edge.grammar import Grammar, Words
from edge.handover import Handovers
from edge.leg import TransferRequest, TransferResult
from edge.metrics import WorkerMetrics
from edge.realtime import Event
from edge.session.errors import OutOfStep
from tests.fakes.clock import FakeClock

YES = Expectation("yes", Grammar("yes", Words("yes")))


class FakeEar:
    def __init__(self) -> None:
        self.agent_speaking = False
        self.expected: list[str] = []

    def expect(self, expectation: Expectation) -> None:
        self.expected.append(expectation.name)


class FakeAnswer:
    """An answer whose words are played one by one, when the test says so."""

    def __init__(self) -> None:
        self.on_words: Callable[[str], None] = lambda words: None
        self.on_first_played: Callable[[], None] = lambda: None
        self.words: list[str] = []
        self.heard = ""
        self.first_audio_at: float | None = None
        self.first_played_at: float | None = None
        self.finished = False
        self._over = asyncio.Event()
        self._error: Exception | None = None

    @property
    def complete(self) -> bool:
        return self.finished and not self.words

    def say(self, text: str) -> None:
        self.words += text.split()

    def finish(self) -> None:
        self.finished = True
        if not self.words:
            self._over.set()

    def play(self, count: int = 1000) -> None:
        """``count`` words become audible."""
        if self.first_played_at is None:
            self.first_audio_at = self.first_played_at = 100.0
            self.on_first_played()
        for word in self.words[:count]:
            self.heard += word + " "
            self.on_words(word + " ")
        del self.words[:count]
        if self.complete:
            self._over.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._over.set()

    async def run(self) -> None:
        await self._over.wait()
        if self._error is not None:
            raise self._error

    def cut(self) -> None:
        self._over.set()


class FakeMouth:
    def __init__(self) -> None:
        self.answers: asyncio.Queue[FakeAnswer] = asyncio.Queue()

    def begin(self) -> FakeAnswer:
        answer = FakeAnswer()
        self.answers.put_nowait(answer)
        return answer


class FakeMemory:
    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.states: list[JsonValue] = []
        self.kept: asyncio.Queue[Turn] = asyncio.Queue()
        self.tools: dict[str, ToolRecord | None] = {}
        """Transfers by reference; None while their end is not known."""
        self.asked: list[tuple[str, Mapping[str, JsonValue]]] = []

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        if turn.number != len(self.turns) + 1:
            raise OutOfStep("a gap, or a turn that is there already")
        self.turns.append(turn)
        self.states.append(state)
        self.kept.put_nowait(turn)

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        self.asked.append((name, arguments))
        return self.tools.setdefault(call_id, None)

    async def tool_settled(self, record: ToolRecord) -> None:
        assert self.tools[record.call_id] is None
        self.tools[record.call_id] = record


class FakeLine:
    """A leg as far as transfers go; the far end answers when the test says so."""

    def __init__(self, *, can_transfer: bool = True) -> None:
        self.can_transfer = can_transfer
        self.requests: asyncio.Queue[TransferRequest] = asyncio.Queue()
        self.answer: asyncio.Queue[TransferResult] = asyncio.Queue()

    async def transfer(self, request: TransferRequest) -> TransferResult:
        self.requests.put_nowait(request)
        return await self.answer.get()


class ScriptedConductor:
    """Answers the n-th utterance with the n-th list of acts."""

    silence_seconds = 60.0

    def __init__(self, *answers: Sequence[Act]) -> None:
        self.answers = list(answers)
        self.given: list[str] = []
        self.heard: list[tuple[str, bool]] = []
        self.gate: asyncio.Event | None = None
        """When set, acts after a ToolCalled wait for it."""

    async def _acts(self, name: str) -> AsyncIterator[Act]:
        self.given.append(name)
        for act in self.answers.pop(0):
            yield act
            if isinstance(act, ToolCalled) and self.gate is not None:
                await self.gate.wait()

    def open(self, turn: int) -> AsyncIterator[Act]:
        return self._acts("open")

    def resume(self, turn: int) -> AsyncIterator[Act]:
        return self._acts("resume")

    def respond(self, heard: Heard, turn: int) -> AsyncIterator[Act]:
        return self._acts(heard.text)

    def quiet(self, turn: int) -> AsyncIterator[Act]:
        return self._acts("quiet")

    def transfer_failed(self, turn: int, reason: TransferFailure) -> AsyncIterator[Act]:
        return self._acts(f"failed: {reason}")

    def played(self, text: str, complete: bool) -> None:
        self.heard.append((text, complete))

    def state(self) -> JsonValue:
        return {"given": list(self.given)}

    def restore(self, state: JsonValue, history: Sequence[Turn]) -> None:
        raise AssertionError("not part of a conversation")


class Talk:
    """A running conversation with everything around it."""

    def __init__(self, conductor: ScriptedConductor, line: FakeLine) -> None:
        self.conductor = conductor
        self.line = line
        self.ear = FakeEar()
        self.mouth = FakeMouth()
        self.memory = FakeMemory()
        self.events: list[Event] = []
        self.changed = asyncio.Event()
        self.clock = FakeClock()
        self.conversation = Conversation(
            conductor=conductor,
            listener=self.ear,
            speaker=self.mouth,
            journal=self.memory,
            publish=self._publish,
            clock=self.clock,
            metrics=WorkerMetrics(0).for_call(),
            handovers=Handovers(line, self.memory, self._publish),
        )

    def _publish(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()

    def types(self) -> list[str]:
        return [str(event["type"]) for event in self.events]

    async def until(self, kind: str, count: int = 1) -> Any:
        """The ``count``-th event of that type, once it is there."""
        async with asyncio.timeout(60):
            while True:
                found = [event for event in self.events if event["type"] == kind]
                if len(found) >= count:
                    return found[count - 1]
                self.changed.clear()
                await self.changed.wait()

    def says(self, text: str, *, began_at: float = 100.0) -> None:
        self.conversation.floor.on_caller(SpeechStarted(100.0))
        self.conversation.floor.on_caller(Partial(text))
        self.conversation.floor.on_caller(self.heard(text, began_at=began_at))

    @staticmethod
    def heard(text: str, *, began_at: float = 100.0) -> Heard:
        return Heard(text, True, 1.0, began_at, 100.0, 100.0, 100.0)


@asynccontextmanager
async def talking(
    conductor: ScriptedConductor, *, resumed: bool = False, line: FakeLine | None = None
) -> AsyncIterator[tuple[Talk, asyncio.Task[str]]]:
    talk = Talk(conductor, line or FakeLine())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(talk.conversation.run(resumed=resumed))
        yield talk, task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
