from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.playout import Playout
from edge.speech.speaker import AHEAD_SECONDS, Answer, Speaker
from edge.speech.voice import VoiceError, VoiceLost, VoiceRefused
from tests.fakes.clock import FakeClock
from tests.fakes.voice import FakeVoice

RATE = 8000


class Line:
    """A speaker, and the sender that pulls its playout when the test says so."""

    def __init__(self, voice: FakeVoice | None = None) -> None:
        self.voice = voice or FakeVoice()
        self.playout = Playout(RATE)
        self.clock = FakeClock()
        self.speaker = Speaker(self.voice, self.playout, language="en", clock=self.clock)

    async def settle(self) -> None:
        """Let every task run until it waits for something."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def play(self, frames: int) -> int:
        """Pull so many frames, 20 ms apart; returns how many carried sound."""
        sounding = 0
        for _ in range(frames):
            await self.settle()
            self.clock.advance(0.02)
            sounding += self.playout.pull() is not None
        await self.settle()
        return sounding


@asynccontextmanager
async def running(line: Line, answer: Answer) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(answer.run())
        await line.settle()
        yield task
        answer.cut()


async def test_an_answer_is_spoken_in_order_and_heard_to_its_end() -> None:
    line = Line()
    answer = line.speaker.begin()
    words: list[str] = []
    events: list[str] = []
    answer.on_words = words.append
    answer.on_first_played = lambda: events.append("first")
    answer.on_played = lambda: events.append("played")
    answer.say("Good morning, this is the clinic.")
    answer.say("How can I help?")
    answer.finish()
    async with running(line, answer) as task:
        assert line.voice.asked[0] == "Good morning, "
        await line.play(40)
        await task
    assert "".join(words) == "Good morning, this is the clinic. How can I help? "
    assert answer.heard == "Good morning, this is the clinic. How can I help?"
    assert events == ["first", "played"]
    assert answer.complete
    assert answer.over
    assert set(line.voice.languages) == {"en"}


async def test_times_are_those_of_the_first_audio_and_the_first_frame() -> None:
    line = Line()
    line.voice.gate.clear()
    answer = line.speaker.begin()
    answer.say("Hello.")
    async with running(line, answer):
        assert answer.first_audio_at is None
        line.clock.advance(1.0)
        line.voice.gate.set()
        await line.settle()
        assert answer.first_audio_at == pytest.approx(101.0)
        assert answer.first_played_at is None
        line.clock.advance(0.5)
        await line.play(1)
        assert answer.first_played_at == pytest.approx(101.52)
        await line.play(5)
        assert answer.first_played_at == pytest.approx(101.52)


async def test_barge_in_silences_playout_within_one_frame_and_keeps_what_was_heard() -> None:
    line = Line()
    answer = line.speaker.begin()
    answer.say("one two three four five six.")
    async with running(line, answer) as task:
        await line.play(5)
        assert answer.heard == "one two"
        answer.cut()
        assert line.playout.queued == 0
        assert line.playout.pull() is None
        await line.settle()
        assert task.done()
        answer.cut()
        answer.say("too late")
        assert await line.play(10) == 0
    assert answer.heard == "one two"
    assert not answer.complete


async def test_a_cut_stops_the_synthesis() -> None:
    line = Line(FakeVoice(frames=60))
    answer = line.speaker.begin()
    answer.say("one two three four five six seven. And more.")
    async with running(line, answer) as task:
        answer.cut()
        await line.settle()
        assert task.done()
    assert line.voice.stopped == 1
    assert len(line.voice.asked) == 1


async def test_a_cut_ends_an_answer_whose_voice_hangs() -> None:
    line = Line()
    line.voice.gate.clear()
    answer = line.speaker.begin()
    answer.say("Hello.")
    async with running(line, answer) as task:
        answer.cut()
        await line.settle()
        assert task.done()
    assert line.voice.stopped == 1


async def test_cancelling_run_cuts_the_answer() -> None:
    line = Line()
    answer = line.speaker.begin()
    answer.say("one two three.")
    task = asyncio.create_task(answer.run())
    await line.settle()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert answer.over
    assert line.playout.queued == 0


async def test_no_more_than_about_two_seconds_wait_in_the_playout() -> None:
    line = Line(FakeVoice(frames=25))
    answer = line.speaker.begin()
    answer.say("word " * 200)
    answer.finish()
    most = 0.0
    async with running(line, answer):
        for _ in range(200):
            most = max(most, line.playout.seconds)
            await line.play(1)
    assert AHEAD_SECONDS <= most <= AHEAD_SECONDS + 0.5


async def test_words_that_come_late_are_spoken_when_they_come() -> None:
    line = Line()
    answer = line.speaker.begin()
    async with running(line, answer) as task:
        answer.say("One moment, please.")
        await line.play(20)
        assert answer.heard == "One moment, please."
        assert not answer.complete
        assert not task.done()
        answer.say("Here we are.")
        answer.finish()
        await line.play(20)
        assert task.done()
    assert answer.heard == "One moment, please. Here we are."
    assert answer.complete


async def test_a_sentence_is_not_held_back_while_the_caller_hears_silence() -> None:
    line = Line()
    answer = line.speaker.begin()
    async with running(line, answer):
        answer.say("One moment.", more=True)
        await line.play(10)
        assert answer.heard == "One moment."


async def test_deltas_are_gathered_into_clauses() -> None:
    line = Line()
    answer = line.speaker.begin()
    async with running(line, answer):
        for delta in ("Good ", "morn", "ing", ", how", " are", " you", "? Fine", "."):
            answer.say(delta, more=True)
            await line.settle()
        answer.finish()
        await line.play(30)
    assert line.voice.asked == ["Good morning, ", "how are you? ", "Fine."]
    assert answer.heard == "Good morning, how are you? Fine."


async def test_after_a_loss_the_rest_is_said_once_more_and_nothing_twice() -> None:
    line = Line()
    line.voice.fail_after = [2, None]
    answer = line.speaker.begin()
    answer.say("one two three four.")
    answer.finish()
    async with running(line, answer) as task:
        sounding = await line.play(30)
        await task
    assert line.voice.asked == ["one two three four. ", "three four. "]
    assert answer.heard == "one two three four."
    assert sounding == 4 * 2
    assert answer.complete


async def test_a_loss_after_the_last_word_needs_no_retry() -> None:
    line = Line()
    line.voice.fail_after = [9]
    answer = line.speaker.begin()
    answer.say("one two.")
    answer.finish()
    async with running(line, answer) as task:
        await line.play(10)
        await task
    assert line.voice.asked == ["one two. "]
    assert answer.complete


async def failed(line: Line, answer: Answer) -> VoiceError:
    answer.say("one two three.")
    answer.finish()
    with pytest.raises(VoiceError) as caught:
        async with asyncio.timeout(60):
            task = asyncio.create_task(answer.run())
            await line.play(20)
            await task
    return caught.value


async def test_a_second_loss_is_raised_once_what_was_made_has_been_played() -> None:
    line = Line()
    line.voice.fail_after = [1, 1]
    answer = line.speaker.begin()
    assert isinstance(await failed(line, answer), VoiceLost)
    assert line.voice.asked == ["one two three. ", "two three. "]
    assert answer.heard == "one two"
    assert answer.over
    assert not answer.complete
    line.speaker.begin().cut()


async def test_a_refusal_is_raised_without_a_retry() -> None:
    line = Line()
    line.voice.failure = VoiceRefused("no such language")
    line.voice.fail_after = [0]
    answer = line.speaker.begin()
    assert isinstance(await failed(line, answer), VoiceRefused)
    assert len(line.voice.asked) == 1


async def test_one_answer_at_a_time() -> None:
    line = Line()
    first = line.speaker.begin()
    with pytest.raises(RuntimeError, match="still being spoken"):
        line.speaker.begin()
    first.cut()
    second = line.speaker.begin()
    second.say("Hello.")
    second.finish()
    with pytest.raises(RuntimeError, match="finished"):
        second.say("more")
    async with running(line, second) as task:
        await line.play(10)
        await task
    assert second.complete
    assert first.heard == ""
    third = line.speaker.begin()
    third.finish()
    async with running(line, third) as task:
        await task
    assert third.complete


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["one ", "two. ", "three, ", "four\n", "five", ""]), max_size=12),
    st.booleans(),
    st.integers(0, 60),
    st.lists(st.sampled_from([None, None, 0, 1, 3]), max_size=4),
)
def test_what_was_heard_is_what_was_played(
    said: list[str], more: bool, frames: int, failures: list[int | None]
) -> None:
    async def main() -> None:
        line = Line()
        line.voice.fail_after = list(failures)
        answer = line.speaker.begin()
        for text in said:
            answer.say(text, more=more)
        answer.finish()
        task = asyncio.create_task(answer.run())
        sounding = await line.play(frames)
        answer.cut()
        await asyncio.wait([task])
        if not task.cancelled():
            assert isinstance(task.exception(), VoiceLost | None)
        text = " ".join(("" if more else " ").join(said).split())
        assert text.startswith(answer.heard)
        assert len(answer.heard.split()) == sounding // 2

    asyncio.run(main())
