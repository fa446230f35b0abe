"""Whether a phone call went as asked, and why not: pure."""

from __future__ import annotations

from edge.phone.outcome import Outcome as PhoneOutcome
from edge.phone.outcome import outcome_of
from edge.transport.sip.core.events import Ended
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers
from inland.caller.outcome import BROKEN, DONE, REFUSED, UNFINISHED, Outcome

_NOBODY = frozenset({"busy", "no_answer", "refused", "unknown_number"})
_CREDENTIALS = frozenset({401, 407})
_NOTHING_IN_COMMON = frozenset({415, 488, 606})
_WORDS = {
    "completed": "the far end hung up",
    "hangup": "the caller hung up",
    "interrupted": "interrupted at the keyboard",
    "timeout": "the call lasted longer than --timeout",
    "busy": "the far end is busy",
    "no_answer": "nobody answered",
    "refused": "the far end refused the call",
    "unknown_number": "the far end knows no such number",
    "unreachable": "the far end cannot be reached",
    "cancelled": "the call was taken back",
    "lost": "the call was lost",
    "silent": "the call was answered, and nothing was ever heard",
}
MAX_TEXT = 300


def why_over(
    end: Ended,
    *,
    stopped: str | None,
    answered: bool,
    rung_out: bool,
    fault: str = "",
    problem: str = "",
    asked: bool = True,
) -> tuple[str, str]:
    """The reason of a call's end as a code, and in words.

    ``stopped`` is our own reason to end it, ``fault`` what was wrong with the far end's
    description, ``problem`` why nothing could be sent. ``asked`` says that credentials were given.
    """
    if fault:
        return ("lost" if answered else "unreachable"), fault
    if rung_out and end.cause == "cancelled":
        return "no_answer", "nobody answered within --ring"
    if stopped is not None and end.cause in ("local_bye", "cancelled"):
        return stopped, _WORDS.get(stopped, stopped)
    code: PhoneOutcome = outcome_of(end, answered=answered, rung_out=rung_out)
    if end.status in _CREDENTIALS and not answered:
        cure = "does not take these credentials" if asked else "wants --user and --password-env"
        return "refused", f"the far end {cure}: {said(end)}"
    if end.status in _NOTHING_IN_COMMON and not answered:
        return code, f"no codec or encryption is common to both: {said(end)}"
    if end.cause == "rejected" and end.status is not None:
        return code, f"{_WORDS[code]}: {said(end)}"
    if end.cause == "no_response":
        return code, f"{_WORDS[code]}: nothing answered{_because(problem)}"
    if end.cause == "unreachable":
        return code, f"{_WORDS[code]}{_because(problem)}"
    if end.cause == "remote_bye":
        given = reasons(end.headers)
        return code, _WORDS[code] + (f": {given}" if given else "")
    if code == "lost":
        return code, f"{_WORDS[code]}: {_LOST.get(end.cause, end.cause)}"
    return code, _WORDS[code]


_LOST = {
    "no_ack": "the far end never acknowledged it",
    "expired": "its session timer ran out (RFC 4028)",
    "unreachable": "the far end cannot be reached any more",
    "failed": "the far end broke the protocol",
    "replaced": "another call took its place",
}


def said(end: Ended) -> str:
    """The far end's own words: status, phrase, Reason, Warning and Retry-After."""
    text = f"{end.status} {end.reason}".strip()
    headers = end.headers
    if headers is None:
        return text
    details = [reasons(headers), *_warnings(headers)]
    after = headers.get("retry-after")
    if after:
        details.append(f"try again after {after.partition(';')[0].partition('(')[0].strip()} s")
    return ", ".join([text, *(each for each in details if each)])[:MAX_TEXT]


def reasons(headers: Headers | None) -> str:
    """The Reason headers (RFC 3326), shortened: ``X-Inland 403 no_region_allowed``."""
    return ", ".join(_reason(value) for value in _values(headers, "reason"))[:MAX_TEXT]


def _reason(value: str) -> str:
    protocol, *parameters = (part.strip() for part in value.split(";"))
    named = dict(part.partition("=")[::2] for part in parameters)
    parts = (protocol, named.get("cause", ""), named.get("text", "").strip('"'))
    return " ".join(part for part in parts if part)


def _warnings(headers: Headers) -> list[str]:
    """The texts of Warning headers (RFC 3261 section 20.43)."""
    values = _values(headers, "warning")
    texts = (value.partition('"')[2].rpartition('"')[0] for value in values)
    return [text for text in texts if text]


def _values(headers: Headers | None, name: str) -> tuple[str, ...]:
    """All values; none of a field that cannot be read."""
    try:
        return () if headers is None else headers.all(name)
    except MessageError:
        return ()


def _because(problem: str) -> str:
    return f": {problem}" if problem else ""


def result(code: str, why: str, *, lines_left: int, answered: bool) -> Outcome:
    """The exit status of a call that ended so, and why in words."""
    if code in _NOBODY:
        return Outcome(REFUSED, why)
    if code in ("unreachable", "lost", "silent"):
        return Outcome(BROKEN, why)
    if code == "timeout" or not answered:
        return Outcome(UNFINISHED, why)
    if lines_left:
        noun = "line" if lines_left == 1 else "lines"
        return Outcome(UNFINISHED, f"{why}, with {lines_left} {noun} of the script unsaid")
    return Outcome(DONE, why)
