"""An extension that we are at a PBX: REGISTER, kept up (RFC 3261 section 10, RFC 5626)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from edge.transport.sip.core.binding import (
    granted,
    interval_wanted,
    moved,
    retry_after,
    seen_as,
)
from edge.transport.sip.core.context import ALLOW
from edge.transport.sip.core.flow import Address, Destination, Flow
from edge.transport.sip.core.inquiry import NO_ANSWER, Inquiry, Means, Outcome
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.wire.digest import Credentials, DigestClient
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.uri import SipUri

RegistrationState: TypeAlias = Literal[
    "registering", "registered", "waiting", "removing", "stopped"
]
"""Asking, bound, between a failure and the next try, taking the binding back, and at rest."""

REFRESH = (0.85, 0.9)
"""When a binding is renewed, as a share of its time."""
SHORTEST = 5.0
"""Seconds between two registrations at least, whatever a registrar grants."""
BASE, LONGEST_WAIT = 30.0, 1800.0
"""Seconds: the first wait after a failure, and the longest (RFC 5626 section 4.5)."""
LOST = (0.1, 2.0)
"""Seconds until a lost connection is made anew: not by all at once when a PBX restarts."""
KEEP_ALIVE = (24.0, 29.0)
"""Seconds between datagrams that keep a NAT's binding (RFC 5626 section 4.4.2)."""
CHALLENGES = {401: "www-authenticate", 407: "proxy-authenticate"}
MOVES = 3
"""How often in a row a registrar may show us another address of ours."""


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """``registrar`` is the URI that REGISTER goes to, ``address`` the one that is bound to us.

    ``contact_user`` is how the PBX shall call us. With ``follow_nat`` the Contact becomes what the
    registrar sees us as, when that is something else.
    """

    registrar: str
    address: str
    destination: Destination
    contact_user: str
    credentials: Credentials | None = None
    expires: int = 300
    follow_nat: bool = True


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """``until`` is wall time, ``retry_in`` seconds; ``problem`` says in words what went wrong last,
    and is empty when nothing did since."""

    state: RegistrationState
    until: float | None = None
    problem: str = ""
    retry_in: float | None = None

    def __str__(self) -> str:
        if self.state == "stopped" and not self.problem:
            return "not registered"
        again = "" if self.retry_in is None else f"; next try in {self.retry_in:.0f} s"
        trouble = f"{self.problem}{again}" if self.problem else ""
        if self.until is None:
            return f"not registered: {trouble}" if trouble else self.state
        when = datetime.fromtimestamp(self.until, UTC).strftime("%H:%M:%S UTC")
        return f"registered until {when}" + (f", but: {trouble}" if trouble else "")


class Registration:
    """One binding. ``on_change`` hears of every new status; ``keep_alive`` is asked to send a
    datagram that means nothing."""

    def __init__(self, settings: RegistrationSettings, means: Means) -> None:
        self.on_change: Callable[[RegistrationStatus], None] = lambda status: None
        self.keep_alive: Callable[[Destination], None] = lambda target: None
        self.target: Destination | None = None
        """Where the binding is kept, while there is one."""
        self.last: Outcome | None = None
        """The newest outcome."""
        self.service_route: tuple[str, ...] = ()
        """Route of our calls through this registrar (RFC 3608)."""
        self.path: tuple[str, ...] = ()
        """Of calls to us (RFC 3327), as the registrar has it."""
        self.failures = 0
        """In a row."""
        self._settings = settings
        self._means = means
        self._digest = DigestClient()
        self._challenge: Headers | None = None
        self._answers: Counter[int] = Counter()
        self._call_id = means.token()
        self._tag = means.token()
        self._number = 0
        self._state: RegistrationState = "stopped"
        self._problem = ""
        self._expires = settings.expires
        self._until: float | None = None
        self._retry_at: float | None = None
        self._bound: SipUri | None = None
        self._public: Address | None = None
        self._moves = 0
        self._timer: Timer | None = None
        self._ping: Timer | None = None
        self._inquiry: Inquiry | None = None

    @property
    def registered(self) -> bool:
        """Whether a binding stands by what we know, also while it is renewed."""
        return self._until is not None and self._until > self._means.clock.monotonic()

    @property
    def status(self) -> RegistrationStatus:
        """For people, and for metrics."""
        now = self._means.clock.monotonic()
        until = None
        if self._until is not None and self.registered:
            until = self._means.clock.wall() + self._until - now
        retry_in = None if self._retry_at is None else max(self._retry_at - now, 0.0)
        return RegistrationStatus(self._state, until, self._problem, retry_in)

    def start(self) -> None:
        """Register, and stay registered."""
        self._register()

    def stop(self) -> None:
        """Take the binding back, then rest. Ends with state ``stopped``, at the latest when the
        request times out. Idempotent."""
        if self._state in ("removing", "stopped"):
            return
        self._quiet()
        if self._bound is None:
            self._rest("")
            return
        # What a REGISTER under way asks for may still be given: it is taken back as well.
        self._enter("removing")
        self._ask(0)

    def reached_over(self, flow: Flow) -> bool:
        """Whether the binding was made over the connection ``flow``."""
        target = self.target
        return target is not None and (flow.transport, flow.remote) == (
            target.transport,
            (target.host, target.port),
        )

    def flow_lost(self, flow: Flow) -> None:
        """A connection is gone. If the binding was made over it, it is made anew."""
        if not self.reached_over(flow):
            return
        self._public = None  # a NAT gives the next connection another port
        if self._state == "registered":
            self._problem = "the connection was lost"
            self._try_again(self._means.rng.uniform(*LOST))

    def _register(self) -> None:
        self._moves = 0
        self._enter("registering")
        self._ask(self._expires)

    def _ask(self, expires: int) -> None:
        self._quiet()
        self._inquiry = Inquiry(
            self._means,
            # A binding is taken back where it was made.
            self.target if expires == 0 and self.target else self._settings.destination,
            build=lambda target: self._request(target, expires),
            revise=self._revised,
            done=self._removed if expires == 0 else self._learn,
        )

    def _request(self, target: Destination, expires: int) -> Request:
        contact = self._contact(target)
        if expires == 0 and self._bound is not None:
            contact = self._bound
        self.target = target
        self._number += 1
        settings = self._settings
        headers = Headers(
            [
                ("max-forwards", "70"),
                ("from", f"<{settings.address}>;tag={self._tag}"),
                ("to", f"<{settings.address}>"),
                ("call-id", self._call_id),
                ("cseq", f"{self._number} REGISTER"),
                ("contact", f"<{contact}>;expires={expires}"),
                ("expires", str(expires)),
                ("supported", "path"),
                ("allow", ALLOW),
                ("user-agent", self._means.user_agent),
            ]
        )
        request = Request("REGISTER", settings.registrar, headers=headers)
        if expires:
            self._bound = contact
        self._answers.clear()
        if self._challenge is not None:
            # The nonce may still be good, which saves a round trip (RFC 7616 section 3.6).
            self._authorize(request, self._challenge)
        return request

    def _authorize(self, request: Request, challenge: Headers) -> bool:
        credentials = self._settings.credentials
        if credentials is None:
            return False
        answer = self._digest.answer(challenge, credentials, request.method, request.uri)
        if answer is None:
            return False
        request.headers.set(*answer)
        self._challenge = challenge
        return True

    def _contact(self, target: Destination) -> SipUri:
        uri = replace(SipUri.parse(self._means.contact(target)), user=self._settings.contact_user)
        return uri if self._public is None else moved(uri, self._public)

    def _revised(self, request: Request, response: Response) -> Request | None:
        """The request that answers a challenge, or asks for as long as the registrar wants."""
        if response.status == 423 and self._state == "registering":
            wanted = interval_wanted(response)
            if wanted is None or wanted <= self._expires or self.target is None:
                return None
            self._expires = wanted
            return self._request(self.target, wanted)
        if response.status not in CHALLENGES:
            return None
        self._answers[response.status] += 1
        if self._answers[response.status] > (2 if is_stale(response) else 1):
            return None
        again = Request(request.method, request.uri, headers=request.headers.copy())
        if not self._authorize(again, response.headers):
            return None
        self._number += 1
        again.headers.set("cseq", f"{self._number} REGISTER")
        return again

    def _learn(self, outcome: Outcome) -> None:
        self.last = outcome
        response = outcome.response
        if response is None or not 200 <= response.status < 300:
            self._fail(outcome)
            return
        assert self._bound is not None and outcome.target is not None
        seconds = granted(response, self._bound, self._expires)
        if seconds == 0:
            self._problem = "the registrar accepted, but keeps no binding"
            self._wait_and_retry(0.0)
            return
        self._until = self._means.clock.monotonic() + seconds
        if self._must_move(response, outcome.target):
            return
        self.failures = 0
        self._problem = ""
        self._keep_routes(response)
        self._enter("registered")
        wait = max(seconds * self._means.rng.uniform(*REFRESH), SHORTEST)
        self._timer = self._means.timers.after(wait, self._register)
        self._keep_alive_later()

    def _must_move(self, response: Response, target: Destination) -> bool:
        """Whether the registrar sees us elsewhere than our Contact says: then take the binding
        back, and make the right one."""
        seen, bound = seen_as(response), self._bound
        assert bound is not None
        if not self._settings.follow_nat or seen is None or self._moves >= MOVES:
            return False
        if seen[0] == bound.host and (target.reliable or seen[1] == bound.port):
            # The source port of a connection is nothing that anybody could call.
            return False
        self._moves += 1
        self._quiet()
        self._inquiry = Inquiry(
            self._means,
            target,
            build=lambda target: self._request(target, 0),
            revise=self._revised,
            done=lambda outcome: self._moved(seen),
        )
        return True

    def _moved(self, seen: Address) -> None:
        self._public = seen
        self._bound = None
        self._until = None
        self._ask(self._expires)

    def _keep_routes(self, response: Response) -> None:
        try:
            self.service_route = response.headers.all("service-route")
            self.path = response.headers.all("path")
        except MessageError:
            self.service_route = self.path = ()

    def _fail(self, outcome: Outcome) -> None:
        self._problem = told(outcome, has_password=self._settings.credentials is not None)
        if outcome.problem != NO_ANSWER and not self.registered:
            self._bound = None  # else the registrar may have bound us, and its answer got lost
        if outcome.response is not None and outcome.response.status in CHALLENGES:
            self._challenge = None
        self._wait_and_retry(retry_after(outcome.response) if outcome.response else 0.0)

    def _wait_and_retry(self, at_least: float) -> None:
        self.failures += 1
        longest = min(LONGEST_WAIT, BASE * 2.0 ** min(self.failures - 1, 10))
        wait = longest * self._means.rng.uniform(0.5, 1.0)
        if self._until is not None and self.registered:
            # While the old binding stands there is something to save.
            left = self._until - self._means.clock.monotonic()
            wait = min(wait, max(left / 2, SHORTEST))
        self._try_again(max(wait, at_least))

    def _try_again(self, wait: float) -> None:
        self._quiet()
        self._retry_at = self._means.clock.monotonic() + wait
        self._timer = self._means.timers.after(wait, self._register)
        self._enter("waiting")

    def _removed(self, outcome: Outcome) -> None:
        self.last = outcome
        response = outcome.response
        fine = response is not None and (200 <= response.status < 300 or response.status == 404)
        self._rest("" if fine else told(outcome, has_password=True))

    def _rest(self, problem: str) -> None:
        self._bound = self._until = self.target = None
        self._problem = problem
        self._enter("stopped")

    def _keep_alive_later(self) -> None:
        if self.target is not None and not self.target.reliable:
            wait = self._means.rng.uniform(*KEEP_ALIVE)
            self._ping = self._means.timers.after(wait, self._keep_alive)

    def _keep_alive(self) -> None:
        if self.target is not None:
            self.keep_alive(self.target)
            self._keep_alive_later()

    def _quiet(self) -> None:
        """Nothing under way, nothing due."""
        for timer in (self._timer, self._ping):
            if timer is not None:
                timer.cancel()
        self._retry_at = None
        if self._inquiry is not None:
            self._inquiry.drop()

    def _enter(self, state: RegistrationState) -> None:
        self._state = state
        self.on_change(self.status)


def is_stale(response: Response) -> bool:
    """Whether a challenge says that only the nonce was too old (RFC 7616 section 3.3)."""
    found = response.headers.lines(CHALLENGES[response.status])
    return any("stale=true" in text.lower().replace(" ", "").replace('"', "") for text in found)


def told(outcome: Outcome, *, has_password: bool) -> str:
    """In words why there is no registration."""
    response = outcome.response
    if response is None:
        return outcome.problem
    said = f"{response.status} {response.reason}".strip()
    if response.status in CHALLENGES:
        why = (
            "the username or password is not accepted" if has_password else "it asks for a password"
        )
        return f"{said}: {why}"
    if response.status == 403:
        return f"{said}: the registrar refuses this user"
    if response.status == 404:
        return f"{said}: the registrar does not know this user"
    return said
