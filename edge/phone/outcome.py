"""How a call that we placed came to its end, in words that a program can rely on: pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from edge.transport.sip.core.events import Ended

Outcome: TypeAlias = Literal[
    "completed",
    "busy",
    "no_answer",
    "refused",
    "unknown_number",
    "unreachable",
    "cancelled",
    "lost",
]
"""``completed``: it was answered and somebody hung up. ``busy``, ``no_answer``, ``refused`` and
``unknown_number``: nobody took it, and why. ``unreachable``: the trunk did not answer, or could not
carry the call. ``cancelled``: whoever ordered the call took it back. ``lost``: it was answered and
its signalling or media failed."""

_BUSY = frozenset({486, 600})
_NO_ANSWER = frozenset({408, 480, 487})
_UNKNOWN = frozenset({404, 410, 484, 604})
_UNREACHABLE = frozenset({500, 502, 503, 504})
_LOST = frozenset({"no_ack", "expired", "unreachable", "failed"})


def outcome_of(end: Ended, *, answered: bool, rung_out: bool, heard: bool = True) -> Outcome:
    """What an end means. ``rung_out`` says that our own ring timeout cancelled the call, ``heard``
    that the trunk had said anything by then."""
    if answered:
        return "lost" if end.cause in _LOST else "completed"
    if end.cause == "cancelled":
        if not rung_out:
            return "cancelled"
        return "no_answer" if heard else "unreachable"
    if end.cause != "rejected" or end.status is None:
        return "unreachable"
    if rung_out or end.status in _NO_ANSWER:
        return "no_answer"
    if end.status in _BUSY:
        return "busy"
    if end.status in _UNKNOWN:
        return "unknown_number"
    return "unreachable" if end.status in _UNREACHABLE else "refused"
