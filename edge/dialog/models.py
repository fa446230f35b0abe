"""Language models behind OpenAI-compatible chat completions, streamed.

The stream is server-sent events (WHATWG HTML, section 9.2): lines ``data: {json}``, the last one
``data: [DONE]``. Everything is bounded, and leaving the iterator closes the connection, so that a
provider stops generating the moment the caller interrupts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import aiohttp

from edge.dialog.agent import Model
from edge.dialog.endpoints import model_endpoint
from edge.dialog.errors import (
    ModelGarbledError,
    ModelOverloadedError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnreachableError,
)
from edge.dialog.plain_json import parse_json
from edge.events import JsonValue
from edge.outbound import Outbound, OutboundRefused
from regions.models import DataClass

MAX_LINE_BYTES = 64 * 1024
MAX_RESPONSE_BYTES = 1024 * 1024
MAX_TOOL_CALLS = 8
"""Most function calls in one answer."""
MAX_ANSWER_TOKENS = 400


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """The model wants a function called; ``arguments`` is the JSON text it wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; ``tool_call_id`` says which call a ``tool`` message answers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolAsked, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A tool as a model sees it; ``parameters`` is JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


ModelEvent: TypeAlias = TextDelta | ToolAsked


class ChatModel(Protocol):
    """A chat model. Its iterator yields text as it comes, then whole tool calls.

    Closing the iterator, or cancelling, ends the generation upstream. Raises ``ModelError``.
    """

    name: str

    def chat(
        self, messages: Sequence[Message], functions: Sequence[FunctionSpec]
    ) -> AsyncGenerator[ModelEvent, None]:
        """Answer ``messages``."""
        ...


class SseChatModel:
    """A chat model behind ``{url}/chat/completions``."""

    def __init__(self, spec: Model, api_key: str | None, outbound: Outbound) -> None:
        self.name = spec.model
        self._spec = spec
        self._key = api_key
        self._outbound = outbound
        self._endpoint = model_endpoint(spec)

    async def chat(
        self, messages: Sequence[Message], functions: Sequence[FunctionSpec]
    ) -> AsyncGenerator[ModelEvent, None]:
        """Answer ``messages``. Raises ``ModelError``."""
        began = asyncio.get_running_loop().time()
        end = began + self._spec.total_seconds
        due = min(end, began + self._spec.first_token_seconds)
        async with AsyncExitStack() as stack:
            response = await self._open(stack, messages, functions, due)
            chunks = await stack.enter_async_context(aclosing(_chunks(response)))
            calls = _ToolCalls()
            while (chunk := await self._next(chunks, due)) is not None:
                text = calls.accept(chunk)
                if text or calls.begun:
                    due = end
                if text:
                    yield TextDelta(text)
            for call in calls.whole():
                yield call

    async def _open(
        self,
        stack: AsyncExitStack,
        messages: Sequence[Message],
        functions: Sequence[FunctionSpec],
        due: float,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            session = self._outbound.session(self._endpoint, DataClass.TRANSCRIPT)
            async with asyncio.timeout_at(due):
                response = await stack.enter_async_context(
                    session.request(
                        "POST",
                        "/chat/completions",
                        json=_body(self._spec.model, messages, functions),
                        headers=headers,
                    )
                )
        except OutboundRefused as error:
            raise ModelRefusedError(str(error)) from error
        except TimeoutError as error:
            raise ModelTimeoutError("no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnreachableError("the connection failed") from error
        _check_status(response)
        return response

    async def _next(
        self, chunks: AsyncIterator[Mapping[str, Any]], due: float
    ) -> Mapping[str, Any] | None:
        try:
            async with asyncio.timeout_at(due):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise ModelTimeoutError("the answer takes too long") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnreachableError("the connection broke off") from error


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class _ToolCalls:
    """Function calls come in pieces, told apart by their index."""

    _calls: dict[int, _Call] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        return bool(self._calls)

    def accept(self, chunk: Mapping[str, Any]) -> str:
        """Keep the call pieces of ``chunk``; returns its text. Raises ``ModelGarbledError``."""
        try:
            choices = chunk["choices"]
            if not choices:
                return ""
            delta = choices[0].get("delta") or {}
            for piece in delta.get("tool_calls") or ():
                self._add(piece)
            text = delta.get("content") or ""
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ModelGarbledError("a chunk is not a chat completion chunk") from error
        if not isinstance(text, str):
            raise ModelGarbledError("the text of a chunk is not text")
        return text

    def _add(self, piece: Mapping[str, Any]) -> None:
        index = piece.get("index", 0)
        if not isinstance(index, int) or not 0 <= index < MAX_TOOL_CALLS:
            raise ModelGarbledError("too many function calls")
        call = self._calls.setdefault(index, _Call())
        function = piece.get("function") or {}
        call.id = str(piece.get("id") or call.id)[:128]
        call.name += str(function.get("name") or "")[:128]
        call.arguments += str(function.get("arguments") or "")

    def whole(self) -> list[ToolAsked]:
        """The calls, in order."""
        return [
            ToolAsked(call.id or f"call_{index}", call.name, call.arguments)
            for index, call in sorted(self._calls.items())
        ]


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[Mapping[str, Any], None]:
    """The JSON objects of the stream up to ``[DONE]``. Raises ``ModelError``."""
    async with aclosing(_lines(response)) as lines:
        async for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            try:
                chunk = parse_json(data)
            except ValueError as error:
                raise ModelGarbledError("a line of the stream is not JSON") from error
            if not isinstance(chunk, Mapping):
                raise ModelGarbledError("a line of the stream is not an object")
            if chunk.get("error"):
                raise ModelOverloadedError("the provider failed in the middle of the answer")
            yield chunk
    raise ModelUnreachableError("the stream ended before its end")


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    buffer, total = b"", 0
    async for piece in response.content.iter_any():
        total += len(piece)
        if total > MAX_RESPONSE_BYTES:
            raise ModelGarbledError("the answer is too long")
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")
        if len(buffer) > MAX_LINE_BYTES:
            raise ModelGarbledError("a line of the stream is too long")


def _check_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == 200:
        return
    if status == 429 or status >= 500:
        after = response.headers.get("Retry-After", "")
        seconds = float(after) if after.isdecimal() and len(after) <= 6 else None
        raise ModelOverloadedError(f"the model answered {status}", seconds)
    raise ModelRefusedError(f"the model answered {status}")


def _body(
    model: str, messages: Sequence[Message], functions: Sequence[FunctionSpec]
) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {
        "model": model,
        "stream": True,
        "max_tokens": MAX_ANSWER_TOKENS,
        "messages": [_message(message) for message in messages],
    }
    if functions:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": function.name,
                    "description": function.description,
                    "parameters": dict(function.parameters),
                },
            }
            for function in functions
        ]
    return body


def _message(message: Message) -> dict[str, JsonValue]:
    out: dict[str, JsonValue] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out
