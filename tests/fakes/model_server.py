"""A chat completions endpoint on loopback that misbehaves as told by the model's name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web


class ModelServer:
    """``app`` answers ``/v1/chat/completions``; ``script`` holds the chunks of each answer.

    A chunk is a delta, raw bytes, or one of ``hang``, ``drop``.
    """

    def __init__(self, *script: list[Any], status: int = 200) -> None:
        self.script = list(script)
        self.status = status
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.hanging = asyncio.Event()
        self.left = asyncio.Event()
        """Set when a client went away in the middle of an answer."""
        self.app = web.Application()
        self.app.router.add_post("/v1/chat/completions", self._chat)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.headers.append(dict(request.headers))
        if self.status != 200:
            return web.json_response(
                {"error": "no"}, status=self.status, headers={"Retry-After": "7"}
            )
        chunks = self.script.pop(0)
        if chunks and chunks[0] == "silent":
            await self._hang()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            if chunk == "hang":
                await self._hang()
            elif chunk == "drop":
                assert request.transport is not None
                request.transport.abort()
                return response
            elif isinstance(chunk, bytes):
                await response.write(chunk)
            else:
                data = json.dumps({"choices": [{"index": 0, "delta": chunk}]})
                await response.write(f"data: {data}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _hang(self) -> None:
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


def say(*pieces: str) -> list[Any]:
    """An answer of these pieces of text."""
    return [{"content": piece} for piece in pieces]


def call(name: str, arguments: dict[str, Any], index: int = 0) -> list[Any]:
    """A function call, its arguments in two pieces as providers send them."""
    text = json.dumps(arguments)
    head = {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": text[:5]}}
    tail = {"index": index, "function": {"arguments": text[5:]}}
    return [{"tool_calls": [head]}, {"tool_calls": [tail]}]
