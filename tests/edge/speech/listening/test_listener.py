"""The ears of a call, with a scripted recogniser and a detector that goes by loudness."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from edge.events import CallerEvent, Heard, Partial, SpeechStarted
from edge.grammar import Alt, Repeat, Words
from edge.media.frames import Samples
from edge.speech.listener import Listener, ListenSettings
from tests.fakes.clock import FakeClock
from tests.fakes.hearing import LevelDetector, ScriptedRecognizer, expecting

FRAME = 320
YES_NO = expecting(Alt((Words("yes"), Words("no"))), "yes_no")
DIGITS = expecting(Repeat(Alt((Words("one"), Words("two"), Words("three"))), 3, 3), "digits")
SETTINGS = ListenSettings()
_TONE = (8_000 * np.sin(np.arange(FRAME) * 2 * np.pi / 32)).astype(np.int16)
_HUSH = np.full(FRAME, 3, np.int16)


class Ears:
    """A listener and the audio it is given; every frame moves the clock by 20 ms."""

    def __init__(self, recognizer: ScriptedRecognizer) -> None:
        self.clock = FakeClock()
        self.detector = LevelDetector()
        self.events: list[CallerEvent] = []
        self.recognizer = recognizer
        self.listener = Listener(
            recognizer, self.detector, self.clock, self.events.append, SETTINGS
        )

    def hear(self, sound: Samples, milliseconds: int) -> None:
        for _ in range(milliseconds // 20):
            self.clock.advance(0.02)
            self.listener.feed(sound)

    def say(self, voice: int, silence: int) -> None:
        self.hear(_TONE, voice)
        self.hear(_HUSH, silence)

    async def settled(self) -> None:
        """Let ``run`` report everything that is finished."""
        for _ in range(20):
            await asyncio.sleep(0)

    def heard(self) -> list[Heard]:
        return [event for event in self.events if isinstance(event, Heard)]

    def kinds(self) -> list[type[CallerEvent]]:
        return [type(event) for event in self.events]


@asynccontextmanager
async def listening(*scripts: dict[int, str], failing: str = "") -> AsyncIterator[Ears]:
    ears = Ears(ScriptedRecognizer(*scripts, failing=failing))
    async with asyncio.TaskGroup() as group:
        group.create_task(ears.listener.run())
        ears.listener.expect(YES_NO)
        ears.hear(_HUSH, 600)
        yield ears
        ears.listener.close()


async def test_recogniser_hears_a_call_on_one_channel_in_the_band_of_its_leg() -> None:
    async with listening({6_000: "yes"}) as ears:
        ears.say(600, 600)
        ears.listener.band = lambda: "narrow"
        ears.say(600, 600)
        ears.say(600, 600)
        await ears.settled()
    channels, bands = zip(*ears.recognizer.channels, strict=True)
    assert bands == ("wide", "narrow", "narrow")
    assert len(set(channels)) == 1, "what was learnt of the line is lost between utterances"


async def test_one_utterance_is_a_start_its_words_and_one_result() -> None:
    async with listening({6_000: "yes"}) as ears:
        ears.say(600, 600)
        await ears.settled()

        assert ears.kinds() == [SpeechStarted, Partial, Heard]
        [heard] = ears.heard()
        assert (heard.text, heard.understood, heard.confidence) == ("yes", True, 0.9)


async def test_the_times_of_an_utterance_are_those_of_its_audio() -> None:
    async with listening({6_000: "yes"}) as ears:
        started = ears.clock.monotonic()
        ears.say(600, 600)
        await ears.settled()

        [heard] = ears.heard()
        assert heard.began_at == pytest.approx(started, abs=0.04)
        assert heard.ended_at == pytest.approx(started + 0.6, abs=0.021)
        assert 0.16 <= heard.decided_at - heard.ended_at <= 0.22
        assert heard.recognised_at >= heard.decided_at
        [spoke] = [event for event in ears.events if isinstance(event, SpeechStarted)]
        assert started < spoke.at <= started + 0.12


async def test_the_recogniser_hears_the_sound_before_the_decision_and_nothing_else() -> None:
    async with listening() as ears:
        ears.hear(np.full(FRAME, 5, np.int16), 2_000)
        ears.say(600, 2_000)
        await ears.settled()

        [utterance] = ears.recognizer.begun
        audio = np.concatenate(utterance.audio)
        voiced = np.flatnonzero(abs(audio.astype(int)) > 1000)
        assert 300 * 16 <= voiced[0] <= 340 * 16
        assert len(audio) < (340 + 600 + 900) * 16


async def test_the_pre_roll_is_heard_in_order_and_spread_over_several_frames() -> None:
    async with listening() as ears:
        for number in range(60):
            ears.hear(np.full(FRAME, number, np.int16), 20)
        ears.hear(_TONE, 100)
        [utterance] = ears.recognizer.begun
        early = len(utterance.audio)
        ears.hear(_TONE, 200)

        assert early <= 2 * SETTINGS.catch_up
        levels = [int(samples[0]) for samples in utterance.audio]
        assert levels[0] <= 60 - 15
        assert levels[: 60 - levels[0]] == list(range(levels[0], 60))


async def test_a_partial_is_told_only_when_the_words_changed() -> None:
    async with listening({2_000: "no", 9_000: "yes"}) as ears:
        ears.say(1_000, 600)
        await ears.settled()

        texts = [event.text for event in ears.events if isinstance(event, Partial)]
        assert texts == ["no", "yes"]


async def test_a_caller_who_stops_inside_a_number_is_waited_for() -> None:
    async with listening({4_000: "one", 12_000: "one two", 24_000: "one two three"}) as ears:
        ears.listener.expect(DIGITS)
        ears.say(400, 300)
        ears.say(400, 300)
        ears.say(400, 300)
        await ears.settled()

        assert [heard.text for heard in ears.heard()] == ["one two three"]


async def test_silence_says_nothing_and_costs_no_recogniser() -> None:
    async with listening() as ears:
        ears.hear(_HUSH, 3_000)
        await ears.settled()

        assert ears.events == []
        assert ears.recognizer.begun == []


async def test_an_utterance_of_noise_is_reported_as_not_understood() -> None:
    async with listening({}) as ears:
        ears.say(400, 1_000)
        await ears.settled()

        [heard] = ears.heard()
        assert (heard.text, heard.understood) == ("", False)


@pytest.mark.parametrize("failing", ["begin", "accept", "partial", "finish", "prepare"])
async def test_a_failing_recogniser_costs_the_words_and_never_the_call(
    failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "edge.speech.listener"):
        async with listening({2_000: "yes"}, failing=failing) as ears:
            for _ in range(2):
                ears.say(600, 1_200)
                await ears.settled()

            assert len(ears.heard()) == 2
            assert [heard.understood for heard in ears.heard()] == [failing == "prepare"] * 2
            assert all(utterance.over for utterance in ears.recognizer.begun)
    assert caplog.records
    assert all("yes" not in record.getMessage() for record in caplog.records)


async def test_speech_before_anything_is_expected_is_heard_and_not_understood() -> None:
    ears = Ears(ScriptedRecognizer({0: "yes"}))
    async with asyncio.TaskGroup() as group:
        group.create_task(ears.listener.run())
        ears.hear(_HUSH, 400)
        ears.say(400, 1_000)
        await ears.settled()
        ears.listener.close()

    assert ears.kinds() == [SpeechStarted, Heard]
    assert not ears.heard()[0].understood


async def test_two_utterances_are_reported_in_order_with_audio_of_their_own() -> None:
    async with listening({2_000: "yes"}, {2_000: "no"}) as ears:
        ears.say(400, 240)
        ears.say(400, 400)
        await ears.settled()

        assert [heard.text for heard in ears.heard()] == ["yes", "no"]
        second = np.concatenate(ears.recognizer.begun[1].audio)
        assert abs(second[:3_000].astype(int)).max() < 1000


async def test_a_new_expectation_early_in_an_utterance_hears_it_again_from_its_start() -> None:
    async with listening({2_000: "no"}, {2_000: "one"}) as ears:
        ears.hear(_TONE, 500)
        ears.listener.expect(DIGITS)
        ears.hear(_TONE, 300)

        first, second = ears.recognizer.begun
        assert first.over == 1
        assert [e.name for e in ears.recognizer.expectations] == ["yes_no", "digits"]
        np.testing.assert_array_equal(
            np.concatenate(first.audio), np.concatenate(second.audio)[: first.heard]
        )
        assert ears.kinds().count(SpeechStarted) == 1


async def test_a_new_expectation_late_in_an_utterance_waits_for_the_next() -> None:
    async with listening() as ears:
        ears.hear(_TONE, 2_500)
        ears.listener.expect(DIGITS)
        ears.say(200, 1_000)
        ears.say(400, 1_000)

        assert [e.name for e in ears.recognizer.expectations] == ["yes_no", "digits"]
        assert len(ears.recognizer.begun) == 2


async def test_expecting_the_same_again_changes_nothing() -> None:
    async with listening() as ears:
        ears.hear(_TONE, 400)
        ears.listener.expect(YES_NO)

        assert len(ears.recognizer.begun) == 1
        assert len(ears.recognizer.prepared) == 1


async def test_nothing_is_reported_after_close() -> None:
    async with listening({2_000: "yes"}) as ears:
        ears.say(400, 400)
        ears.say(400, 0)
        before = list(ears.events)
        ears.listener.close()
        ears.listener.close()
        ears.say(400, 600)
        ears.listener.expect(DIGITS)
        await ears.settled()

        assert ears.events == before
        assert all(utterance.over for utterance in ears.recognizer.begun)
        assert ears.detector.tracks == 0


async def test_closing_inside_an_event_is_safe() -> None:
    async with listening({2_000: "yes"}) as ears:
        ears.listener.on_event = lambda event: ears.listener.close()
        ears.say(600, 600)
        await ears.settled()

        assert ears.detector.tracks == 0


async def test_an_error_in_the_call_ends_the_call_and_not_the_detector() -> None:
    ears = Ears(ScriptedRecognizer({2_000: "yes"}))
    ears.listener.on_event = lambda event: {}[event]  # type: ignore[index]
    other: list[float] = []
    track = ears.detector.track(other.append)

    ears.hear(_TONE, 200)
    with pytest.raises(KeyError):
        await asyncio.wait_for(ears.listener.run(), 60)

    track.feed(np.zeros(512, np.int16))
    assert other == [0.02]


async def test_the_agents_voice_raises_the_bar_for_a_caller() -> None:
    async with listening() as ears:
        assert ears.listener.agent_speaking is False
        ears.listener.agent_speaking = True
        ears.hear(_TONE, 60)  # enough in a silence
        assert ears.events == []
        ears.hear(_TONE, 60)

        assert ears.kinds() == [SpeechStarted]
