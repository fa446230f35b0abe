"""Turns: who speaks, what is cut, what is kept."""

from __future__ import annotations

import asyncio

import pytest

from edge.events import Expect, HangUp, Heard, Say, SpeechStarted, ToolCalled, ToolReturned, Turn
from edge.speech.voice import VoiceError
from tests.edge.talk import YES, ScriptedConductor, talking


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
