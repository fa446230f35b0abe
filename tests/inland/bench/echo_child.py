"""A child for tests: it says what it was told."""

from __future__ import annotations

import asyncio
import sys

from inland.bench import child
from inland.bench.errors import BenchError


async def respond(question: child.Json) -> child.Json:
    match question["ask"]:
        case "the impossible":
            raise BenchError("there is no such thing")
        case "die":
            raise ValueError("my last words")
        case "silence":
            await asyncio.Event().wait()
    return {"asked": question["ask"]}


async def serve(order: child.Json) -> None:
    child.answer({"order": order})
    await child.serve_questions(respond)
    if "says" in order:
        print(order["says"], file=sys.stderr)  # noqa: T201
    if order.get("stubborn"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
