"""Whatever answers in place of a bucket, or does not: it is away, and nobody hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from edge.recording.archive import ENDS
from edge.recording.bucket import BucketArchive
from edge.recording.errors import ArchiveBusy
from tests.edge.recording.s3_server import CREDENTIALS, S3Server

HANG_SECONDS = 60.0
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
QUESTIONS: dict[str, Callable[[BucketArchive], Awaitable[object]]] = {
    "check": lambda archive: archive.check(),
    "names": lambda archive: archive.names(ENDS, 5),
    "put": lambda archive: archive.put("a", b"x" * 300_000),
    "delete": lambda archive: archive.delete(("a",)),
}


def page(status: str, body: bytes) -> Answer:
    """One that answers everything with this."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"expect: 100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"content-length:" in head:
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        length = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(length.encode() + body)
        await writer.drain()

    return answer


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes what it is sent and says nothing."""
    while await reader.read(65_536):
        pass


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gone in the middle of what it is sent."""
    await reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def bucket(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BucketArchive]:
    """One that was seen to be in the node's region before this happened."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("edge.recording.bucket.READ_SECONDS", 0.2)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    archive = S3Server(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").archive("calls")
    archive._seen = True
    try:
        yield archive
    finally:
        await archive.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "answer",
    [
        page("503 Service Unavailable", b"<html>busy</html>"),
        page("500 Internal Server Error", b""),
        page("200 OK", b"<html>log in</html"),
        silence,
        cut,
    ],
    ids=["busy", "broken", "a page", "silence", "cut"],
)
async def test_a_service_that_is_none_is_away(
    question: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(HANG_SECONDS), bucket(answer, monkeypatch) as archive:
        with pytest.raises(ArchiveBusy):
            await QUESTIONS[question](archive)


@pytest.mark.parametrize("question", ["names", "put"])
async def test_a_success_that_s3_did_not_say_is_none(
    question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an erasure would find nothing to delete, and a segment be thrown away."""
    async with bucket(page("200 OK", b""), monkeypatch) as archive:
        with pytest.raises(ArchiveBusy):
            await QUESTIONS[question](archive)
