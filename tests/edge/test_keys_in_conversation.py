"""Keys pressed in a conversation: they interrupt, they answer, and nobody reads them along."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from edge.events import Act, Expect, Expectation, Say
from edge.grammar import Grammar, Words
from tests.edge.talk import YES, ScriptedConductor, Talk, talking
from tests.edge.test_call import Stage

PIN = Expectation("pin", Grammar("pin", Words("yes")), keys=4)
ASK: list[Act] = [Say("what is your number"), Expect(PIN)]


def press(talk: Talk, keys: str) -> None:
    for key in keys:
        talk.conversation.floor.pressed(key)


async def test_a_key_silences_the_agent_and_the_whole_number_is_the_answer() -> None:
    conductor = ScriptedConductor(ASK, [Say("thank you")])
    async with talking(conductor) as (talk, _):
        answer = await talk.mouth.answers.get()
        answer.play(2)
        press(talk, "4")
        done = await talk.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert talk.conversation.barge_ins == 1
        press(talk, "592")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert conductor.given == ["open", "4592"]
    assert talk.memory.turns[1].caller == "4592", "the journal keeps what the caller said"


async def test_client_and_log_learn_how_many_keys_and_not_which(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking(ScriptedConductor(ASK, [Say("thank you")])) as (talk, _):
        (await talk.mouth.answers.get()).play()
        press(talk, "4592")
        received = await talk.until("inland.dtmf.received")
        assert received["count"] == 4
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert "4592" not in json.dumps(
        [{k: v for k, v in event.items() if not k.endswith("_id")} for event in talk.events]
    )
    assert "4592" not in caplog.text


async def test_agent_does_not_start_while_the_caller_is_still_keying() -> None:
    conductor = ScriptedConductor([Say("hello"), Expect(YES)], [Say("one")], [Say("two")])
    async with talking(conductor) as (talk, _):
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
        talk.conversation.floor.typed("something else")
        press(talk, "1")
        await talk.until("response.created", 2)
        assert talk.mouth.answers.empty(), "the agent spoke into the caller's keys"
        press(talk, "2#")
        (await talk.mouth.answers.get()).play()
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert conductor.given == ["open", "something else", "12"]


async def test_keys_typed_ahead_are_answered_and_what_would_come_before_is_not_said() -> None:
    conductor = ScriptedConductor([Say("a long greeting"), Expect(YES)], [Say("one")], [Say("two")])
    async with talking(conductor) as (talk, _):
        press(talk, "12#34#")
        skipped = [await talk.mouth.answers.get() for _ in range(2)]
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 3)
        assert [answer.heard for answer in skipped] == ["", ""]
    assert conductor.given == ["open", "12", "34"]
    assert [turn.caller for turn in talk.memory.turns if turn.caller] == ["12", "34"]


async def test_words_before_the_greeting_do_not_cost_the_caller_the_greeting() -> None:
    conductor = ScriptedConductor([Say("good morning"), Expect(YES)], [Say("one")])
    async with talking(conductor) as (talk, _):
        talk.says("hello")
        (await talk.mouth.answers.get()).play()
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert conductor.given == ["open", "hello"]


async def test_a_notice_is_said_to_who_types_ahead_and_the_greeting_is_not() -> None:
    acts = [Say("this call is recorded", interruptible=False), Say("a long greeting")]
    conductor = ScriptedConductor(acts, [Say("one")])
    told: list[tuple[str, bool]] = []
    async with talking(conductor) as (talk, _):
        talk.conversation.on_notice = lambda words, heard: told.append((words, heard))
        press(talk, "12#")
        (await talk.mouth.answers.get()).play()
        await talk.mouth.answers.get()
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert told == [("this call is recorded", True)]
    assert conductor.given == ["open", "12"]


async def test_a_key_while_the_notice_waits_for_the_floor_does_not_cost_the_notice() -> None:
    conductor = ScriptedConductor([Say("this call is recorded", interruptible=False)], [Say("one")])
    async with talking(conductor) as (talk, _):
        press(talk, "1")
        await talk.until("response.created")
        talk.says("hello")
        press(talk, "2#")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
    assert talk.memory.turns[0].agent == "this call is recorded"


@pytest.mark.parametrize("keys", ["#", "*", "12*", "A"])
async def test_keys_that_are_no_entry_leave_the_floor_to_the_agent(keys: str) -> None:
    conductor = ScriptedConductor([Say("hello")], [Say("fine")])
    async with talking(conductor) as (talk, _):
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
        press(talk, keys)
        talk.conversation.floor.typed("hello")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
    assert conductor.given == ["open", "hello"]
    assert "inland.dtmf.received" not in talk.types()


async def test_keys_come_from_the_leg_and_from_a_page() -> None:
    stage = Stage(*ASK)
    conductor = stage.conductor
    conductor.answers.append([Say("thank you")])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
        stage.leg.on_digit("4")
        stage.leg.on_digit("5")
        stage.leg.on_message({"type": "inland.dtmf", "digit": "9"})
        stage.leg.on_message({"type": "inland.dtmf", "digit": "2"})
        (await stage.mouth.answers.get()).play()
        stage.leg.on_message({"type": "inland.hangup"})
    assert running.result() == "hangup"
    assert conductor.given == ["open", "4592"]


async def test_pause_after_the_last_key_ends_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.keypad.PAUSE_SECONDS", 0.0)
    stage = Stage(*ASK)
    stage.conductor.answers.append([Say("thank you")])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
        stage.leg.on_digit("4")
        async with asyncio.timeout(60):
            (await stage.mouth.answers.get()).play()
        stage.leg.gone.set_result("hangup")
    assert running.result() == "hangup"
    assert stage.conductor.given == ["open", "4"]
