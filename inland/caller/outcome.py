"""Whether a call went as asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

DONE, REFUSED, BROKEN, UNFINISHED, USAGE = 0, 3, 4, 5, 2
"""Exit statuses of ``inland call``."""

_BROKEN = {
    "lost": "the edge went silent and no other took the call over",
    "error": "the edge ended the call because of an error of its own",
    "draining": "the edge is being taken out of service and no other took the call over",
    "policy": "the law does not let this region have the call any more, and it went nowhere else",
    "taken_over": "somebody else took this session over",
}
_UNFINISHED = {
    "timeout": "the call lasted longer than --timeout",
    "idle": "the edge heard nothing for too long",
    "policy": "a law or contract that came into force keeps the call from its region",
}
_OVER = {
    "completed": "the agent ended the call",
    "handover": "a person takes over",
    "hangup": "the caller hung up",
    "interrupted": "interrupted at the keyboard",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """``exit_status`` of the command, and the reason in words."""

    exit_status: int
    why: str


def outcome(reason: str, *, lines_left: int) -> Outcome:
    """What a call that ended for ``reason`` with so many script lines unsaid amounts to."""
    if reason in _BROKEN:
        return Outcome(BROKEN, _BROKEN[reason])
    if reason in _UNFINISHED:
        return Outcome(UNFINISHED, _UNFINISHED[reason])
    why = _OVER.get(reason, f"the edge ended the call: {reason}")
    if lines_left:
        noun = "line" if lines_left == 1 else "lines"
        return Outcome(UNFINISHED, f"{why} with {lines_left} {noun} of the script unsaid")
    return Outcome(DONE, why)
