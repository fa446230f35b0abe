"""The client and the worker together, in one process, over a real socket."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.speech.voice import MAX_TEXT, VoiceLost, VoiceRefused
from edge.speech.voices.client import VoiceClient
from edge.speech.voices.engine import EngineError
from edge.speech.voices.protocol import WINDOW, Decoder, Done, Hello, Speak, encode
from edge.speech.voices.studio import Studio
from edge.speech.voices.worker import serve
from tests.fakes.voice import FakeEngine

LONG = "one two three four five six seven eight nine ten. " * 8


@asynccontextmanager
async def serving(socket: Path, *engines: FakeEngine) -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(serve(socket, Studio(list(engines)), stop, ready.set))
        await ready.wait()
        try:
            yield
        finally:
            for engine in engines:
                engine.gate.set()
            stop.set()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "voice.sock"


async def said(client: VoiceClient, text: str, language: str = "en") -> tuple[str, int]:
    words, count = "", 0
    async for speech in client.speak(text, language=language, rate=24_000):
        words += "".join(mark.text for mark in speech.marks)
        count += len(speech.samples)
    return words, count


async def until(reached: object, engine: FakeEngine) -> None:
    assert await asyncio.to_thread(engine.entered.acquire, timeout=60), reached


async def test_speech_arrives_whole_at_the_rate_asked_for(socket: Path) -> None:
    async with serving(socket, FakeEngine()):
        client = VoiceClient(socket)
        words, count = await said(client, "Good morning, caller. Bye.")
        assert words == "Good morning, caller. Bye."
        assert count == 4 * 2400 + 2 * int(0.28 * 24_000)
        await client.close()


async def test_only_the_own_user_may_connect(socket: Path) -> None:
    async with serving(socket, FakeEngine()):
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600


async def test_many_texts_at_once_do_not_mix(socket: Path) -> None:
    async with serving(socket, FakeEngine()):
        client = VoiceClient(socket)
        texts = [f"text {number} it is. And more." for number in range(20)]
        answers = await asyncio.gather(*(said(client, text) for text in texts))
        assert [words for words, _ in answers] == texts
        await client.close()


async def test_a_new_text_waits_for_a_piece_of_a_long_one_not_for_all_of_it(socket: Path) -> None:
    engine = FakeEngine()
    engine.gate.clear()
    async with serving(socket, engine), asyncio.TaskGroup() as group:
        client = VoiceClient(socket)
        long = group.create_task(said(client, LONG))
        await until("the long one began", engine)
        short = group.create_task(said(client, "hello"))
        await asyncio.sleep(0)
        with pytest.raises(VoiceRefused):
            await said(client, "a round trip: what was asked before has been read", "de")
        engine.gate.set()
        await short
        assert engine.asked.index("hello") <= 2
        assert (await long)[0] == LONG
        await client.close()


async def test_a_slow_listener_is_sent_a_window_and_keeps_nobody_waiting(socket: Path) -> None:
    engine = FakeEngine()
    async with serving(socket, engine):
        client = VoiceClient(socket)
        async with aclosing(client.speak(LONG, language="en", rate=24_000)) as slow:
            await anext(slow)
            for _ in range(12):
                assert (await said(client, "hello"))[0] == "hello"
            # A sentence is two chunks or more: what was made is bounded by the window.
            assert sum("one two" in text for text in engine.asked) <= 1 + WINDOW // 2
            words = "".join([m.text async for speech in slow for m in speech.marks])
        assert words.count("ten.") == 8
        await client.close()


async def test_closing_the_generator_stops_the_synthesis(socket: Path) -> None:
    engine = FakeEngine()
    engine.hold = "stop"
    async with serving(socket, engine):
        client = VoiceClient(socket)
        text = "one two. stop here. three."
        async with aclosing(client.speak(text, language="en", rate=24_000)) as speech:
            await anext(speech)
            await until("the first sentence", engine)
            await until("the one that is never done", engine)
        assert (await said(client, "after"))[0] == "after"
        assert engine.asked == ["one two. ", "stop here. ", "after"]
        await client.close()


async def test_an_unknown_language_is_refused_and_the_connection_lives(socket: Path) -> None:
    async with serving(socket, FakeEngine()):
        client = VoiceClient(socket)
        with pytest.raises(VoiceRefused, match="no voice for 'de'"):
            await said(client, "Hallo", "de")
        with pytest.raises(VoiceRefused, match="characters"):
            await said(client, "x" * (MAX_TEXT + 1))
        with pytest.raises(VoiceRefused):
            await said(client, "x", "e" * 99)
        assert (await said(client, "hello"))[0] == "hello"
        await client.close()


async def test_an_engine_that_fails_leaves_the_piece_to_the_next(socket: Path) -> None:
    broken, good = FakeEngine("broken"), FakeEngine("good")
    broken.failure = EngineError("no")
    async with serving(socket, broken, good):
        client = VoiceClient(socket)
        assert (await said(client, "hello"))[0] == "hello"
        assert good.asked == ["hello"]
        await client.close()


async def test_an_engines_bug_ends_one_request(socket: Path) -> None:
    engine = FakeEngine()
    async with serving(socket, engine):
        client = VoiceClient(socket)
        engine.failure = ZeroDivisionError("secret text")
        with pytest.raises(VoiceRefused, match=r"^ZeroDivisionError$"):
            await said(client, "hello")
        engine.failure = None
        assert (await said(client, "hello"))[0] == "hello"
        await client.close()


async def test_a_client_that_goes_away_leaves_no_work_behind(socket: Path) -> None:
    engine = FakeEngine()
    engine.gate.clear()
    async with serving(socket, engine), asyncio.TaskGroup() as group:
        client = VoiceClient(socket)
        lost = group.create_task(_lost(client))
        await until("it began", engine)
        await client.close()
        await lost
        other = VoiceClient(socket)
        after = group.create_task(said(other, "after"))
        await until("the thread is free again", engine)
        engine.gate.set()
        assert (await after)[0] == "after"
        assert len(engine.asked) == 2
        await other.close()


async def _lost(client: VoiceClient) -> None:
    with pytest.raises(VoiceLost):
        await said(client, LONG)


async def test_a_worker_that_dies_in_mid_speech_is_lost_and_found_again(socket: Path) -> None:
    client = VoiceClient(socket)
    async with serving(socket, FakeEngine()):
        speech = client.speak(LONG, language="en", rate=24_000)
        await anext(speech)
    with pytest.raises(VoiceLost):
        _ = [chunk async for chunk in speech]
    async with serving(socket, FakeEngine()):
        assert (await said(client, "hello"))[0] == "hello"
        await client.close()


async def test_a_request_waits_for_a_worker_that_is_on_its_way(socket: Path) -> None:
    client = VoiceClient(socket)
    async with asyncio.TaskGroup() as group:
        early = group.create_task(said(client, "hello"))
        async with serving(socket, FakeEngine()):
            assert (await early)[0] == "hello"
            await client.close()


async def test_without_a_worker_patience_ends(socket: Path) -> None:
    client = VoiceClient(socket, patience=0.01)
    with pytest.raises(VoiceLost, match="does not answer"):
        await said(client, "hello")
    await client.close()
    with pytest.raises(VoiceLost, match="closed"):
        await said(client, "hello")


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 64,
        encode(Done(1)),
        encode(Speak(1, "a", "en", 8000)) * 2,
    ],
)
async def test_noise_on_the_socket_ends_that_connection_only(socket: Path, noise: bytes) -> None:
    engine = FakeEngine()
    async with serving(socket, engine):
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(noise)
        data = await reader.read()
        assert Decoder().feed(data)[0] == Hello("fake")
        writer.close()
        await writer.wait_closed()
        client = VoiceClient(socket)
        assert (await said(client, "hello"))[0] == "hello"
        await client.close()


async def test_samples_are_what_the_engine_made(socket: Path) -> None:
    async with serving(socket, FakeEngine()):
        client = VoiceClient(socket)
        parts = [s.samples async for s in client.speak("one two", language="en", rate=8_000)]
        np.testing.assert_array_equal(np.concatenate(parts), np.full(1600, 1000))
        await client.close()


def test_warming_falls_back_and_refuses_what_nobody_speaks() -> None:
    broken, good = FakeEngine("broken"), FakeEngine("good")
    broken.failure = EngineError("no")
    studio = Studio([broken, good])
    studio.warm("en")
    with pytest.raises(EngineError, match="no voice"):
        studio.warm("de")
    studio.close()
