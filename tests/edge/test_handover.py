"""Giving the caller to a person: once, silently, and with a way back."""

from __future__ import annotations

import asyncio
import json

import pytest

from edge.events import (
    Act,
    Expect,
    Handover,
    HandoverTarget,
    Say,
    SpeechStarted,
    TransferFailure,
)
from edge.handover import why_missed
from edge.leg import TransferRequest, TransferResult
from tests.edge.talk import YES, FakeLine, ScriptedConductor, Talk, talking

DESK = HandoverTarget("+4969123456", "attended", "")
SUMMARY = "Wants: a loan of 4,000 (born 1971)."
PUT_THROUGH: list[Act] = [Say("I put you through"), Handover("requested", SUMMARY, DESK)]
TAKEN = TransferResult(True, 200, "OK")
BUSY = TransferResult(False, 486, "Busy Here")


async def asked(talk: Talk) -> TransferRequest:
    """Play the sentence; the request that follows it."""
    (await talk.mouth.answers.get()).play()
    async with asyncio.timeout(60):
        return await talk.line.requests.get()


async def test_caller_is_given_away_after_the_sentence_was_heard_and_kept() -> None:
    async with talking(ScriptedConductor(PUT_THROUGH)) as (talk, task):
        answer = await talk.mouth.answers.get()
        answer.play(1)
        await talk.until("output_audio_buffer.started")
        assert talk.line.requests.empty(), "the caller was sent away in the middle of a word"
        answer.play()
        request = await talk.line.requests.get()
        assert [turn.agent for turn in talk.memory.turns] == ["I put you through"]
        talk.line.answer.put_nowait(TAKEN)
        assert await task == "handover"
    assert (request.to, request.kind) == ("+4969123456", "attended")
    assert talk.types()[-1] == "inland.handover"


async def test_summary_is_in_the_journal_before_anybody_is_called_and_nowhere_else() -> None:
    async with talking(ScriptedConductor(PUT_THROUGH, [])) as (talk, _):
        request = await asked(talk)
        assert talk.memory.tools == {request.reference: None}
        ((_, arguments),) = talk.memory.asked
        assert arguments["summary"] == SUMMARY
        told = await talk.until("inland.handover")
        assert (told["reason"], told["reference"]) == ("requested", request.reference)
        assert SUMMARY not in json.dumps([talk.events, repr(request)])
        assert request.reference.isalnum(), "a header would have to quote it"
        talk.line.answer.put_nowait(BUSY)
        await talk.until("inland.transfer.failed")
        settled = talk.memory.tools[request.reference]
        assert settled is not None
        assert (settled.ok, settled.output) == (False, {"status": 486})


async def test_caller_whom_nobody_takes_is_back_with_the_agent() -> None:
    conductor = ScriptedConductor(PUT_THROUGH, [Say("nobody there"), Expect(YES)], [Say("fine")])
    async with talking(conductor) as (talk, _):
        await asked(talk)
        talk.line.answer.put_nowait(BUSY)
        failed = await talk.until("inland.transfer.failed")
        assert (failed["status"], failed["reason"]) == (486, "busy")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
        assert conductor.given == ["open", "failed: busy"]
        (record,) = talk.memory.turns[1].tools
        assert (record.ok, record.output, record.arguments) == (False, {"error": "busy"}, {})
        talk.says("yes")
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 3)
    assert conductor.given[-1] == "yes"


async def test_nothing_said_while_somebody_is_called_is_answered_afterwards() -> None:
    conductor = ScriptedConductor(PUT_THROUGH, [Say("nobody there")], [Say("fine")])
    async with talking(conductor) as (talk, _):
        await asked(talk)
        for _ in range(40):  # music, a recorded voice
            talk.says("your call is important to us", began_at=100.0)
        talk.conversation.floor.typed("hello")
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        talk.clock.advance(5.0)
        talk.line.answer.put_nowait(BUSY)
        await talk.until("inland.transfer.failed")
        talk.conversation.floor.on_caller(talk.heard("still the music", began_at=100.0))
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)
        talk.says("are you there", began_at=105.5)
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 3)
    assert conductor.given == ["open", "failed: busy", "are you there"]
    assert talk.mouth.answers.empty()


async def test_agent_waits_for_a_caller_who_speaks_as_the_transfer_fails() -> None:
    conductor = ScriptedConductor(PUT_THROUGH, [Say("nobody there")])
    async with talking(conductor) as (talk, _):
        await asked(talk)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        talk.line.answer.put_nowait(BUSY)
        await talk.until("response.created", 2)
        assert talk.mouth.answers.empty(), "the agent spoke while the caller did"
        talk.conversation.floor.on_caller(talk.heard("hello", began_at=99.0))
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done", 2)


async def test_interrupting_the_sentence_does_not_undo_the_handover() -> None:
    async with talking(ScriptedConductor(PUT_THROUGH)) as (talk, task):
        (await talk.mouth.answers.get()).play(1)
        await talk.until("output_audio_buffer.started")
        talk.says("yes please")
        async with asyncio.timeout(60):
            await talk.line.requests.get()
        talk.line.answer.put_nowait(TAKEN)
        assert await task == "handover"


async def test_announcement_is_for_lines_that_transfer_and_is_heard_whole() -> None:
    desk = HandoverTarget("sip:desk@pbx.example", "blind", "please hold")
    acts: list[Act] = [Say("I put you through"), Handover("requested", SUMMARY, desk)]
    async with talking(ScriptedConductor(acts)) as (talk, task):
        (await talk.mouth.answers.get()).play()
        announcement = await talk.mouth.answers.get()
        announcement.play(1)
        talk.conversation.floor.on_caller(SpeechStarted(100.0))
        assert talk.line.requests.empty()
        talk.conversation.floor.on_caller(talk.heard("yes"))
        announcement.play()
        async with asyncio.timeout(60):
            await talk.line.requests.get()
        assert talk.memory.turns[0].agent == "I put you through please hold"
        talk.line.answer.put_nowait(TAKEN)
        assert await task == "handover"
    line = FakeLine(can_transfer=False)
    async with talking(ScriptedConductor(acts), line=line) as (talk, task):
        (await talk.mouth.answers.get()).play()
        assert await task == "handover"
    assert talk.memory.turns[0].agent == "I put you through"


@pytest.mark.parametrize("able", [True, False])
async def test_without_a_target_or_the_ability_the_call_ends_with_the_handover(able: bool) -> None:
    target = None if able else DESK
    acts: list[Act] = [Say("somebody calls you back"), Handover("requested", SUMMARY, target)]
    line = FakeLine(can_transfer=able)
    async with talking(ScriptedConductor(acts), line=line) as (talk, task):
        (await talk.mouth.answers.get()).play()
        assert await task == "handover"
    assert line.requests.empty()
    assert talk.memory.asked == []
    assert "reference" not in await talk.until("inland.handover")


async def test_resumed_conversation_asks_nobody_by_itself() -> None:
    """The journal says that a transfer was asked; how it ended, nobody knows."""
    conductor = ScriptedConductor([Say("I could not reach a colleague"), Expect(YES)])
    async with talking(conductor, resumed=True) as (talk, _):
        (await talk.mouth.answers.get()).play()
        await talk.until("response.done")
        assert talk.line.requests.empty()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (486, "busy"),
        (600, "busy"),
        (480, "no_answer"),
        (0, "no_answer"),
        (603, "refused"),
        (403, "refused"),
        (501, "unreachable"),
        (404, "unreachable"),
    ],
)
def test_a_status_is_told_as_a_word(status: int, why: TransferFailure) -> None:
    assert why_missed(status) == why
