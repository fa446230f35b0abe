"""Logs as JSON lines with fields from an allow-list: no speech, no number, no address."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import traceback

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
    "count",
    "engine",
    "seconds",
    "pid",
)
"""What a log record may carry besides its constant message."""


class JsonFormatter(logging.Formatter):
    """One line per record; an exception is its type and where it was raised, without its text.

    The text of an exception may quote what a caller said, so it stays out.
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
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, default=str)


def short(call_id: str) -> str:
    """A call's name for the logs: 12 hex digits of its SHA-256.

    Who knows a call's id can hang it up, so the id itself is not written down.
    """
    return hashlib.sha256(call_id.encode()).hexdigest()[:12]


OURS = frozenset({"edge", "control_plane", "inland", "regions"})
"""Loggers whose messages are constants; of others only the name is kept."""


def configure_logging(level: str, **constant: object) -> None:
    """Send this process's logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(**constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiortc", "aioice", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
