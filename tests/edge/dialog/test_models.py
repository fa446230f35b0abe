from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.dialog.agent import Model
from edge.dialog.clauses import LONGEST, Clauses
from edge.dialog.errors import (
    ModelError,
    ModelGarbledError,
    ModelOverloadedError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnreachableError,
)
from edge.dialog.models import (
    MAX_LINE_BYTES,
    MAX_RESPONSE_BYTES,
    FunctionSpec,
    Message,
    ModelEvent,
    SseChatModel,
    TextDelta,
    ToolAsked,
)
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from regions.models import DataClass
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import serving
from tests.fakes.model_server import ModelServer, call, say

HELLO = (Message("user", "hello"),)


@asynccontextmanager
async def model(
    server: ModelServer, *, first: float = 5.0, total: float = 5.0, region: str = "here"
) -> AsyncIterator[SseChatModel]:
    async with serving(server.app) as url, Pool() as pool:
        spec = Model(
            url=f"{url}/v1",
            model="m",
            region=region,
            first_token_seconds=first,
            total_seconds=total,
        )
        allowed = {DataClass.TRANSCRIPT: ["eu-central-1"]}
        outbound = Outbound(
            here="eu-central-1", allowed=allowed, pool=pool, ledger=Ledger(FakeClock())
        )
        yield SseChatModel(spec, "key", outbound)


async def events_of(
    chat: SseChatModel, functions: tuple[FunctionSpec, ...] = ()
) -> list[ModelEvent]:
    return [event async for event in chat.chat(HELLO, functions)]


async def test_text_comes_in_the_pieces_it_was_sent_in() -> None:
    server = ModelServer(say("Good ", "morning."))
    async with model(server) as chat:
        assert await events_of(chat) == [TextDelta("Good "), TextDelta("morning.")]
    assert server.requests[0]["messages"] == [{"role": "user", "content": "hello"}]
    assert server.requests[0]["stream"] is True
    assert server.headers[0]["Authorization"] == "Bearer key"


async def test_function_calls_are_put_together_from_their_pieces() -> None:
    server = ModelServer([*call("a", {"x": 1}), *call("b", {"y": "long text"}, index=1)])
    function = FunctionSpec("a", "does a", {"type": "object"})
    async with model(server) as chat:
        assert await events_of(chat, (function,)) == [
            ToolAsked("c0", "a", '{"x": 1}'),
            ToolAsked("c1", "b", '{"y": "long text"}'),
        ]
    assert server.requests[0]["tools"][0]["function"]["name"] == "a"


async def test_comments_empty_lines_and_carriage_returns_are_skipped() -> None:
    line = b'data: {"choices": [{"delta": {"content": "hi"}}]}\r\n\r\n'
    async with model(ModelServer([b": ping\n\n", b"event: x\n", line[:20], line[20:]])) as chat:
        assert await events_of(chat) == [TextDelta("hi")]


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([*say("a"), "drop"], ModelUnreachableError),
        ([b"data: nonsense\n\n"], ModelGarbledError),
        ([b"data: [1]\n\n"], ModelGarbledError),
        ([b"data: {}\n\n"], ModelGarbledError),
        ([b'data: {"choices": 1}\n\n'], ModelGarbledError),
        ([b'data: {"choices": [{"delta": {"content": 1}}]}\n\n'], ModelGarbledError),
        ([b'data: {"choices": [{"delta": {"tool_calls": [{"index": 99}]}}]}\n'], ModelGarbledError),
        ([b'data: {"error": {"message": "x"}}\n\n'], ModelOverloadedError),
        ([b"data: " + b"x" * (MAX_LINE_BYTES + 10)], ModelGarbledError),
        ([b": x\n" * 1000] * (MAX_RESPONSE_BYTES // 4000 + 1), ModelGarbledError),
    ],
)
async def test_a_broken_stream_is_told_as_what_it_is(
    chunks: list[Any], error: type[ModelError]
) -> None:
    async with model(ModelServer(chunks)) as chat:
        with pytest.raises(error):
            await events_of(chat)


@pytest.mark.parametrize(
    ("status", "error", "retry"),
    [
        (400, ModelRefusedError, False),
        (401, ModelRefusedError, False),
        (302, ModelRefusedError, False),
        (429, ModelOverloadedError, True),
        (500, ModelOverloadedError, True),
        (503, ModelOverloadedError, True),
    ],
)
async def test_a_status_says_whether_a_retry_helps(
    status: int, error: type[ModelError], retry: bool
) -> None:
    async with model(ModelServer(status=status)) as chat:
        with pytest.raises(error) as caught:
            await events_of(chat)
    assert caught.value.retry is retry
    if isinstance(caught.value, ModelOverloadedError):
        assert caught.value.after == 7.0


@pytest.mark.parametrize("script", [["silent"], ["hang"]])
async def test_no_first_token_in_time_is_an_error_of_its_own(script: list[Any]) -> None:
    server = ModelServer(script)
    async with model(server, first=0.05) as chat:
        with pytest.raises(ModelTimeoutError):
            await events_of(chat)
        await server.left.wait()


async def test_a_stalled_answer_ends_at_the_total_deadline_and_keeps_its_words() -> None:
    server = ModelServer([*say("half"), "hang"])
    got: list[ModelEvent] = []
    loop = asyncio.get_running_loop()
    async with model(server, first=1.0, total=1.4) as chat:
        began = loop.time()
        with pytest.raises(ModelTimeoutError):
            async for event in chat.chat(HELLO, ()):
                got.append(event)
    assert got == [TextDelta("half")]
    # A deadline never fires early: the first token's no longer held once it had come.
    assert loop.time() - began >= 1.39


async def test_closing_the_iterator_ends_the_generation_upstream() -> None:
    server = ModelServer([*say("half"), "hang"])
    async with model(server) as chat:
        events = chat.chat(HELLO, ())
        async for _ in events:
            await server.hanging.wait()
            break
        await events.aclose()
        await server.left.wait()


async def test_cancelling_ends_the_generation_upstream() -> None:
    server = ModelServer([*say("half"), "hang"])
    async with model(server) as chat, asyncio.TaskGroup() as group:
        task = group.create_task(events_of(chat))
        await server.hanging.wait()
        task.cancel()
        await server.left.wait()


async def test_a_transcript_never_goes_to_a_model_outside_its_regions() -> None:
    server = ModelServer(say("hi"))
    async with model(server, region="us-east-1") as chat:
        with pytest.raises(ModelRefusedError, match="transcript may not be processed in us-east-1"):
            await events_of(chat)
    assert server.requests == []


def test_a_short_first_clause_is_spoken_before_its_sentence_ends() -> None:
    clauses = Clauses()
    assert clauses.feed("Good morning, ") == ["Good morning,"]
    assert clauses.feed("how can I, today, ") == []
    assert clauses.feed("help? Say") == ["how can I, today, help?"]
    assert clauses.rest() == "Say"


def test_text_without_an_end_is_cut_at_a_word() -> None:
    pieces = Clauses().feed("word " * 100)
    assert pieces
    assert all(len(piece) <= LONGEST and not piece.endswith("wor") for piece in pieces)
