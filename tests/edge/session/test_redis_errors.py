"""Every error of the client becomes one of ours, and says whether doing it again helps."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from redis import exceptions

from edge.session.errors import SessionError, StoreBroken, StoreBusy
from edge.session.redis_errors import MasterUnlisted, NotCopied, SentinelsRefused, within

BUSY = [
    exceptions.TimeoutError("x"),
    exceptions.ConnectionError("x"),
    exceptions.MaxConnectionsError("x"),
    exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    exceptions.ReadOnlyError("You can't write against a read only replica."),
    exceptions.TryAgainError("x"),
    exceptions.ClusterDownError("x"),
    exceptions.MasterDownError("x"),
    exceptions.NoScriptError("x"),
    exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
    exceptions.ResponseError("BUSY Redis is busy running a script."),
    exceptions.ResponseError("UNBLOCKED force unblock from blocking operation, instance state"),
    NotCopied(),
    ConnectionResetError("x"),
    OSError("x"),
    TimeoutError("x"),
]
BROKEN = [
    exceptions.AuthenticationError("x"),
    exceptions.NoPermissionError("x"),
    exceptions.OutOfMemoryError("x"),
    exceptions.InvalidResponse("x"),
    exceptions.DataError("x"),
    exceptions.MovedError("1 127.0.0.1:1"),
    exceptions.ClusterCrossSlotError("x"),
    exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    exceptions.ResponseError("MISCONF Errors writing to the AOF file"),
    exceptions.ResponseError("BUSYGROUP x"),
    MasterUnlisted(),
    SentinelsRefused(),
]


@pytest.mark.parametrize("error", BUSY, ids=repr)
async def test_what_passes_is_busy(error: Exception) -> None:
    with pytest.raises(StoreBusy):
        async with within(1):
            raise error


@pytest.mark.parametrize("error", BROKEN, ids=repr)
async def test_what_stays_is_broken(error: Exception) -> None:
    with pytest.raises(StoreBroken):
        async with within(1):
            raise error


async def test_the_servers_words_are_not_passed_on() -> None:
    with pytest.raises(SessionError) as mapped:
        async with within(1):
            raise exceptions.ResponseError("ERR unknown value 'what the caller said'")
    assert "caller" not in str(mapped.value)


async def test_every_error_of_the_client_is_mapped() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.RedisError)
    ]
    assert len(kinds) > 20
    for kind in kinds:
        error = kind.__new__(kind)
        with pytest.raises(SessionError):
            async with within(1):
                raise error


async def test_a_deadline_is_busy_and_a_cancellation_stays_one() -> None:
    with pytest.raises(StoreBusy, match="in time"):
        async with within(0):
            await asyncio.Event().wait()

    async def wait() -> None:
        async with within(60):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
