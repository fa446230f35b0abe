"""Turns: who speaks, what is cut, what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from edge.conversation import Conversation
from edge.events import (
    Act,
    Expect,
    Expectation,
    HangUp,
    Heard,
    JsonValue,
    Partial,
    Say,
    SpeechStarted,
    ToolCalled,
    ToolRecord,
    ToolReturned,
    TransferFailure,
    Turn,
)
from edge.grammar import Grammar, Words
from edge.handover import Handovers
from edge.leg import TransferRequest, TransferResult
from edge.metrics import WorkerMetrics
from edge.realtime import Event
from edge.session.errors import OutOfStep
from edge.speech.voice import VoiceError
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


async def test_greeting_is_spoken_and_kept_as_the_first_turn() -> None:
    async with talking(ScriptedConductor([Say("good morning"), Expect(YES)])) as (talk, _):
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
        await talk.until("inland.state", 3)
    assert [(turn.caller, turn.agent) for turn in talk.memory.turns] == [("", "good morning")]
    assert talk.ear.expected == ["yes"]


async def test_grammar_is_swapped_after_the_first_audio_has_left() -> None:
    async with talking(ScriptedConductor([Say("how can I help"), Expect(YES)])) as (talk, _):
        answer = await talk.mouth.answers.get()
        await talk.until("response.created")
        assert talk.ear.expected == [], "compiling a grammar delayed the first word"
        answer.play(1)
        await talk.until("output_audio_buffer.started")
        await asyncio.sleep(0)
        assert talk.ear.expected == ["yes"], "the caller could not answer while the agent spoke"


async def test_grammar_is_swapped_even_if_the_answer_is_cut_before_its_first_word() -> None:
    conductor = ScriptedConductor([Say("how can I help"), Expect(YES)], [])
    async with talking(conductor) as (talk, _):
        await talk.mouth.answers.get()
        talk.says("hello")
        await talk.until("response.done")
        assert talk.ear.expected == ["yes"]


async def test_callers_words_are_kept_before_the_answer_is_played() -> None:
    conductor = ScriptedConductor([Say("hello")], [Say("fine, thank you")])
    async with talking(conductor) as (talk, _):
        (await talk.mouth.answers.get()).play()
        talk.says("how are you")
        await talk.mouth.answers.get()
        await talk.memory.kept.get()
        await talk.memory.kept.get()
        assert talk.memory.turns[1].caller == "how are you"
        assert talk.memory.states[1] == {"given": ["open", "how are you"]}


async def test_barge_in_cuts_the_answer_and_keeps_what_was_heard() -> None:
    conductor = ScriptedConductor([Say("one two three four"), Expect(YES)], [Say("I see")])
    async with talking(conductor) as (talk, _):
        answer = await talk.mouth.answers.get()
        answer.play(2)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        done = await talk.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert "output_audio_buffer.cleared" in talk.types()
        talk.conversation.floor.on_caller(Heard("stop", True, 1.0, 99.0, 100.0, 100.0, 100.0))
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert talk.memory.turns[0].agent == "one two"
    assert talk.memory.turns[0].interrupted
    assert conductor.heard[0] == ("one two", False)
    assert talk.conversation.barge_ins == 1


async def test_notice_that_may_not_be_interrupted_is_played_to_its_end() -> None:
    conductor = ScriptedConductor([Say("this call is recorded", interruptible=False)], [])
    async with talking(conductor) as (talk, _):
        answer = await talk.mouth.answers.get()
        answer.play(1)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        answer.play()
        done = await talk.until("response.done")
    assert done["response"]["status"] == "completed"
    assert talk.memory.turns[0].agent == "this call is recorded"


@pytest.mark.parametrize("broken", [False, True])
async def test_it_is_told_whether_a_notice_was_heard_to_its_end(broken: bool) -> None:
    conductor = ScriptedConductor([Say("this call is recorded", interruptible=False)], [])
    told: list[tuple[str, bool]] = []
    async with talking(conductor) as (talk, _):
        talk.conversation.on_notice = lambda words, heard: told.append((words, heard))
        answer = await talk.mouth.answers.get()
        answer.play(1)
        assert told == []
        if broken:
            answer.fail(VoiceError("the voice broke"))
        else:
            answer.play()
        await talk.until("response.done")
    assert told == [("this call is recorded", not broken)]


async def test_notice_stays_whole_although_a_question_follows_it() -> None:
    acts = [Say("this call is recorded", interruptible=False), Say("how can I help")]
    async with talking(ScriptedConductor(acts, [])) as (talk, _):
        notice = await talk.mouth.answers.get()
        notice.play(1)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        assert talk.mouth.answers.empty()
        notice.play()
        talk.conversation.floor.on_caller(Heard("hello", True, 1.0, 99.0, 100.0, 100.0, 100.0))
        question = await talk.mouth.answers.get()
        question.play(2)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        done = await talk.until("response.done")
        assert done["response"]["status"] == "cancelled"
    assert talk.memory.turns[0].agent == "this call is recorded how can"


async def test_running_tool_survives_barge_in_and_its_answer_waits_for_the_caller() -> None:
    conductor = ScriptedConductor(
        [Say("hello")],
        [
            Say("one moment please"),
            ToolCalled("c1", "book", {"day": "monday"}),
            ToolReturned("c1", "book", True, {"reference": 7}),
            Say("booked"),
        ],
        [Say("goodbye"), HangUp("done")],
    )
    conductor.gate = asyncio.Event()
    async with talking(conductor) as (talk, task):
        (await talk.mouth.answers.get()).play()
        talk.says("book it")
        filler = await talk.mouth.answers.get()
        filler.play(1)
        await talk.until("response.function_call_arguments.done")
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        conductor.gate.set()
        await talk.until("inland.tool.result")
        assert talk.mouth.answers.empty(), "the agent spoke while the caller did"
        talk.conversation.floor.on_caller(Heard("thanks", True, 1.0, 99.0, 100.0, 100.0, 100.0))
        (await talk.mouth.answers.get()).play()
        (await talk.mouth.answers.get()).play()
        assert await task == "completed"
    kept = [tool for turn in talk.memory.turns for tool in turn.tools]
    assert [(tool.call_id, tool.ok, tool.arguments) for tool in kept] == [
        ("c1", True, {"day": "monday"})
    ]
    assert [turn.caller for turn in talk.memory.turns if turn.caller] == ["book it", "thanks"]


async def test_callers_words_are_in_the_journal_before_a_tool_runs() -> None:
    conductor = ScriptedConductor([], [ToolCalled("c1", "book", {})])
    conductor.gate = asyncio.Event()
    async with talking(conductor) as (talk, _):
        talk.says("book it")
        await talk.until("response.function_call_arguments.done")
        assert [turn.caller for turn in talk.memory.turns] == ["book it"]


async def test_each_tool_call_is_known_to_the_journal_before_it_runs() -> None:
    conductor = ScriptedConductor([], [ToolCalled("c1", "look", {}), ToolCalled("c2", "book", {})])
    async with talking(conductor) as (talk, _):
        talk.says("book it")
        await talk.until("response.function_call_arguments.done", 2)
        await talk.memory.kept.get()
        await talk.memory.kept.get()
    assert [turn.caller for turn in talk.memory.turns] == ["book it", ""]


async def test_call_goes_on_when_the_voice_fails() -> None:
    conductor = ScriptedConductor([Say("hello")], [Say("I am back")])
    async with talking(conductor) as (talk, _):
        broken = await talk.mouth.answers.get()
        broken.fail(VoiceError("the voice process died"))
        done = await talk.until("response.done")
        assert done["response"]["status"] == "cancelled"
        talk.says("are you there")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert talk.memory.turns[-1].agent == "I am back"


async def test_write_that_was_cancelled_half_way_does_not_cost_the_next_one() -> None:
    async with talking(ScriptedConductor([Say("hello")])) as (talk, _):
        talk.memory.turns.append(Turn(1, "", "", False, 0.0))  # it had happened after all
        (await talk.mouth.answers.get()).play()
        await talk.memory.kept.get()
    assert [turn.number for turn in talk.memory.turns] == [1, 2]


async def test_silent_caller_ends_the_call_as_idle() -> None:
    conductor = ScriptedConductor([], [Say("goodbye"), HangUp("idle")])
    conductor.silence_seconds = 0.01
    async with talking(conductor) as (talk, task):
        (await talk.mouth.answers.get()).play()
        assert await task == "idle"


async def test_cancelled_conversation_still_keeps_what_was_heard() -> None:
    async with talking(ScriptedConductor([Say("one two three")])) as (talk, _):
        (await talk.mouth.answers.get()).play(1)
    assert [(turn.agent, turn.interrupted) for turn in talk.memory.turns] == [("one", True)]


async def test_silence_makes_the_agent_ask_again() -> None:
    conductor = ScriptedConductor([Say("hello")], [Say("are you there"), HangUp("quiet")])
    conductor.silence_seconds = 0.01
    async with talking(conductor) as (talk, task):
        (await talk.mouth.answers.get()).play()
        (await talk.mouth.answers.get()).play()
        assert await task == "completed"
    assert conductor.given == ["open", "quiet"]


async def test_resumed_conversation_does_not_greet_again() -> None:
    conductor = ScriptedConductor([Say("we were talking about monday")])
    async with talking(conductor, resumed=True) as (talk, _):
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
    assert conductor.given == ["resume"]


async def test_typed_words_are_answered_like_spoken_ones() -> None:
    conductor = ScriptedConductor([Say("hello")], [Say("noted")])
    async with talking(conductor) as (talk, _):
        (await talk.mouth.answers.get()).play()
        talk.conversation.floor.typed("yes")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert conductor.given == ["open", "yes"]


async def test_timings_add_up_to_the_time_from_last_word_to_first_audio() -> None:
    conductor = ScriptedConductor([], [Say("noted")])
    async with talking(conductor) as (talk, _):
        talk.conversation.floor.on_caller(SpeechStarted(99.0))
        talk.conversation.floor.on_caller(Heard("yes", True, 1.0, 99.0, 99.7, 99.9, 99.95))
        (await talk.mouth.answers.get()).play()
        timings = await talk.until("inland.turn.timings")
    assert (timings["endpoint"], timings["recognise"], timings["think"]) == (200.0, 50.0, 50.0)
    assert timings["total"] == 300.0
