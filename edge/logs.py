"""Logs as JSON lines with fields from an allow-list: no speech, no number, no address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import sys
import threading
import traceback
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

FIELDS = (
    "node",
    "worker",
    "region",
    "tenant",
    "agent",
    "session",
    "call",
    "reason",
    "code",
    "status",
    "state",
    "trunk",
    "registration",
    "transport",
    "count",
    "engine",
    "seconds",
    "pid",
    "peer",
    "head",
)
"""What a log record may carry besides its constant message. ``peer`` is a :func:`pseudonym`,
``head`` a signed head of the audit log: a count and a digest."""
MAX_LEAVES = 8
"""Errors of a group that are written down."""

log = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """One line per record; an exception is its type and where it was raised, without its text.

    The text of an exception may quote what a caller said, so it stays out. A group is followed by
    the errors inside it.
    """

    def __init__(self, **constant: object) -> None:
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.msg if record.name.split(".")[0] in OURS else record.name,
            **self._constant,
        }
        line.update({name: vars(record)[name] for name in FIELDS if name in vars(record)})
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            line |= _told(kind, trace)
            if isinstance(error, BaseExceptionGroup):
                line["inside"] = [
                    _told(type(leaf), leaf.__traceback__)
                    for leaf in islice(_leaves(error), MAX_LEAVES)
                ]
        return json.dumps(line, default=str)


def _told(kind: type[BaseException], trace: TracebackType | None) -> dict[str, object]:
    frames = traceback.extract_tb(trace)
    return {
        "exception": kind.__name__,
        "where": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def short(call_id: str) -> str:
    """A call's name for the logs: 12 hex digits of its SHA-256.

    Who knows a call's id can hang it up, so the id itself is not written down.
    """
    return hashlib.sha256(call_id.encode()).hexdigest()[:12]


_PSEUDONYMS = secrets.token_bytes(32)
"""Dies with this process: no list of all numbers or addresses tells who is behind a pseudonym, and
nobody can be followed from one start to the next."""


def pseudonym(personal: str) -> str:
    """A caller's number or address for the logs: 12 hex digits of a keyed hash (HMAC-SHA256).

    The same one is the same in one process, so that one who knocks often is told from many.
    """
    return hmac.new(_PSEUDONYMS, personal.encode(), hashlib.sha256).hexdigest()[:12]


OURS = frozenset({"edge", "control_plane", "inland", "regions"})
"""Loggers whose messages are constants; of others only the name is kept."""


def configure_logging(level: str, **constant: object) -> None:
    """Send this process's logs to standard error, and what nobody caught with them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(**constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiortc", "aioice", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = log_uncaught
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """``sys.excepthook``: Python's own would print the error's text, which may be a caller's."""
    log.critical("nobody caught this", exc_info=(kind, error, trace))


def _log_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value or args.exc_type()
    log.error("a thread broke", exc_info=(args.exc_type, error, args.exc_traceback))


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    error = args.exc_value or args.exc_type()
    log.error("an error had nowhere to go", exc_info=(args.exc_type, error, args.exc_traceback))


def log_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop's stray errors take the same way; its own handler adds the objects involved."""
    loop.set_exception_handler(_log_loop)


def _log_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("an error of the loop", exc_info=error if isinstance(error, BaseException) else None)
