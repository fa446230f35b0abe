"""Turns what Redis and its client say into this package's errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import exceptions as redis

from edge.session.errors import SessionError, StoreBroken, StoreBusy

_REFUSED = (
    redis.AuthenticationError,
    redis.AuthorizationError,
    redis.AuthenticationWrongNumberOfArgsError,
    redis.NoPermissionError,
)
"""The server does not let this user in, or not there."""
_PASSING = (
    redis.TimeoutError,
    redis.ConnectionError,  # also LOADING, no free connection, too many clients
    redis.ReadOnlyError,  # a former primary
    redis.TryAgainError,
    redis.ClusterDownError,  # also MASTERDOWN
    redis.NoScriptError,  # between loading and running it the primary changed
)
_PASSING_WORDS = ("NOREPLICAS ", "BUSY ", "UNBLOCKED ")
"""``min-replicas-to-write`` is not met; another script has run for too long; the primary became a
replica while a step waited for one."""


class MasterUnlisted(redis.RedisError):
    """The sentinels name a server that the settings do not list."""


class SentinelsRefused(redis.RedisError):
    """No sentinel lets this node ask."""


class NotCopied(redis.RedisError):
    """No replica has the step yet: a primary that dies now, or is cut off, would lose it."""


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Do something with the client in that time.

    Raises ``StoreBusy`` for what passes: no time, no connection, a server that loads or has too few
    replicas, a primary that has changed. Raises ``StoreBroken`` for all else. The server's words
    are not passed on: they may quote what was sent.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise StoreBusy("the session store did not answer in time") from error
    except (redis.RedisError, OSError) as error:
        raise _error_of(error) from error


def _error_of(error: Exception) -> SessionError:
    # What went wrong while connecting is wrapped, in more than one way.
    behind = (error, error.__cause__, error.__context__)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in behind):
        return StoreBroken("the session store's certificate is not valid, or is of another name")
    if isinstance(error, MasterUnlisted):
        return StoreBroken("the sentinels name a server that store.nodes does not list")
    if isinstance(error, SentinelsRefused):
        return StoreBroken("the sentinels do not let store.sentinel_user ask for the master")
    if isinstance(error, NotCopied):
        return StoreBusy("no replica of the session store follows its primary")
    if any(isinstance(each, _REFUSED) for each in behind):
        return StoreBroken("the session store does not let this tenant's user in")
    if isinstance(error, redis.MovedError | redis.AskError | redis.ClusterCrossSlotError):
        return StoreBroken("the session store is a cluster: switch its cluster mode off")
    if isinstance(error, (*_PASSING, OSError)):
        return StoreBusy("the session store cannot be reached, or is not ready")
    if str(error).startswith(_PASSING_WORDS):
        return StoreBusy("the session store cannot write now")
    return StoreBroken(f"the session store failed: {type(error).__name__}")
