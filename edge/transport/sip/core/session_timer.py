"""Session timers (RFC 4028): a session whose far end has silently gone comes to an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.transport.sip.core.context import Header
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import parse_parameters, split_outside
from edge.transport.sip.wire.message import Headers, Request, Response

Refresher: TypeAlias = Literal["uac", "uas"]
SHORTEST = 90
"""The least that a Min-SE may ask for, seconds (RFC 4028 section 5)."""
LONGEST = 86_400
"""Longer session intervals are taken for this one, seconds."""
_LEAST_PAUSE = 5.0
"""Between two tries to refresh, seconds."""


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The header's value. ``refresher`` is a role in the transaction that carries it."""

    seconds: int
    refresher: Refresher | None

    @classmethod
    def of(cls, headers: Headers) -> SessionExpires | None:
        """None when there is none. Raises ``MessageError``."""
        value = headers.get("session-expires")
        if value is None:
            return None
        interval, *rest = split_outside(value, ";")
        named = (parse_parameters(rest).get("refresher") or "").lower()
        refresher: Refresher | None = "uac" if named == "uac" else "uas" if named == "uas" else None
        return cls(_seconds(interval), refresher)

    def __str__(self) -> str:
        role = "" if self.refresher is None else f";refresher={self.refresher}"
        return f"{self.seconds}{role}"


def too_short(request: Request, least: int) -> list[Header] | None:
    """The headers of a 422 to ``request`` when its interval is below ``least`` seconds
    (section 9). Raises ``MessageError`` when what it says of intervals cannot be read."""
    asked = SessionExpires.of(request.headers)
    if "min-se" in request.headers:
        _seconds(request.headers.get("min-se") or "")
    if asked is None or asked.seconds >= least:
        return None
    if "timer" not in request.headers.tokens("supported"):
        return None  # a proxy's wish, which its user agent would not understand: it gets ours
    return [("min-se", str(least))]


class SessionTimer:
    """The session interval as the last 2xx agreed it. Not running until then.

    ``refresh`` is to send an UPDATE or re-INVITE if it can; ``expire`` is called once, shortly
    before the interval is over without a refresh (RFC 4028 section 10).
    """

    def __init__(
        self, usage: InviteUsage, refresh: Callable[[], None], expire: Callable[[], None]
    ) -> None:
        self._usage = usage
        self._refresh = refresh
        self._expire = expire
        self._wanted = usage.context.settings.session_expires
        self._least = usage.context.settings.least_interval
        self._raised = 0
        self._ours: bool | None = None
        """Whether it is us who refresh; None while no interval is agreed."""
        self._refreshing: Timer | None = None
        self._expiring: Timer | None = None
        usage.on_finished.append(self.stop)

    @property
    def running(self) -> bool:
        """Whether an interval is agreed."""
        return self._ours is not None

    # Requests of ours

    def request_headers(self) -> list[Header]:
        """For an INVITE or UPDATE of ours. Roles stay as they are; at first the far end decides."""
        if not self._wanted:
            return []
        refresher: Refresher | None = None
        if self._ours is not None:
            refresher = "uac" if self._ours else "uas"
        headers = [("session-expires", str(SessionExpires(self._wanted, refresher)))]
        if self._raised:
            headers.append(("min-se", str(self._raised)))
        return headers

    def raised(self, response: Response) -> bool:
        """Take the Min-SE of a 422; whether trying again is worth it (section 7.3)."""
        try:
            least = _seconds(response.headers.get("min-se") or "")
        except MessageError:
            return False
        if not max(self._raised, self._wanted) < least < LONGEST:
            return False
        self._raised = self._wanted = least
        return True

    def answered(self, response: Response) -> None:
        """A 2xx to an INVITE or UPDATE of ours: it says whether and how the timer runs on."""
        try:
            agreed = SessionExpires.of(response.headers)
        except MessageError:
            agreed = None
        if agreed is None:
            self.stop()
        else:
            self._start(max(agreed.seconds, SHORTEST), agreed.refresher != "uas")

    # Requests of theirs

    def response_headers(self, request: Request) -> list[Header]:
        """For our 2xx to their INVITE or UPDATE; the timer runs by it from now on (table 2)."""
        asked = SessionExpires.of(request.headers)
        able = "timer" in request.headers.tokens("supported")
        if asked is None and not (able and self._wanted):
            self.stop()
            return []
        floor = self._least
        if "min-se" in request.headers:
            floor = max(floor, _seconds(request.headers.get("min-se") or ""))
        seconds = asked.seconds if asked is not None else self._wanted
        if self._wanted:
            seconds = min(seconds, self._wanted)
        seconds = max(seconds, floor)
        refresher: Refresher = "uac" if able else "uas"
        if able and asked is not None and asked.refresher is not None:
            refresher = asked.refresher
        elif able and self._ours:
            refresher = "uas"  # a request without a wish changes no roles
        self._start(seconds, refresher == "uas")
        headers = [("session-expires", str(SessionExpires(seconds, refresher)))]
        return [*headers, ("require", "timer")] if refresher == "uac" else headers

    # The timer

    def stop(self) -> None:
        """No interval is agreed. Idempotent."""
        self._ours = None
        for timer in (self._refreshing, self._expiring):
            if timer is not None:
                timer.cancel()
        self._refreshing = self._expiring = None

    def _start(self, seconds: int, ours: bool) -> None:
        self.stop()
        self._ours = ours
        self._wanted = seconds
        self._expiring = self._usage.later(seconds - min(32.0, seconds / 3), self._expire)
        if ours:
            self._refreshing = self._usage.later(seconds / 2, self._due)

    def _due(self) -> None:
        # Until a 2xx starts the timer anew this is tried again: an exchange may be in the way, or
        # the far end busy.
        self._refreshing = self._usage.later(max(_LEAST_PAUSE, self._wanted / 20), self._due)
        self._refresh()


def _seconds(text: str) -> int:
    """Delta-seconds, at most ``LONGEST``; parameters are left out. Raises ``MessageError``."""
    digits = text.partition(";")[0].strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        raise MessageError("an interval is no number of seconds")
    return min(int(digits), LONGEST)
