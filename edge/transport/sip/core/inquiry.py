"""A request outside of calls: to the first of a far end's targets that answers (RFC 3263 4.3)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from edge.transport.sip.core.client_transaction import Failure
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.wire.message import Request, Response

MAX_ROUNDS = 8
"""Requests to one target: challenges, and intervals that were too short."""
NO_ANSWER = "nothing answered"


class Locate(Protocol):
    """Finds out where a destination is."""

    def __call__(
        self, destination: Destination, found: Callable[[Sequence[Destination], str], None]
    ) -> None:
        """Call ``found`` once, now or later, with numeric targets, best first, or with none and
        why not in words."""
        ...


class SendRequest(Protocol):
    """:meth:`TransactionLayer.request`, and what is like it."""

    def __call__(
        self,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> object:
        """Send it until it is answered; neither callback is called before this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What requests outside of calls are made with.

    ``contact`` gives our URI towards a target, ``problem`` says in words why a target could not be
    reached, ``failed`` hears of a target that did not answer, so that others come first.
    """

    clock: Clock
    timers: Timers
    send: SendRequest
    locate: Locate
    contact: Callable[[Destination], str]
    problem: Callable[[Destination], str]
    failed: Callable[[Destination], None]
    user_agent: str
    rng: random.Random

    def token(self) -> str:
        """64 random bits: a tag, or part of a Call-ID."""
        return f"{self.rng.getrandbits(64):016x}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``response`` is the final one of ``target``, ``seconds`` after the last request to it; or
    None, and ``problem`` says why in words."""

    target: Destination | None
    response: Response | None
    problem: str
    seconds: float


class Inquiry:
    """``build`` makes the request to a target; ``revise`` makes another of it after a response,
    for the same target, or None when the response stands; neither raises. ``done`` is called once,
    and never after :meth:`drop`; not before the constructor has returned unless ``locate`` is as
    quick."""

    def __init__(
        self,
        means: Means,
        destination: Destination,
        *,
        build: Callable[[Destination], Request],
        revise: Callable[[Request, Response], Request | None],
        done: Callable[[Outcome], None],
    ) -> None:
        self._means = means
        self._build = build
        self._revise = revise
        self._done: Callable[[Outcome], None] | None = done
        self._targets: list[Destination] = []
        self._rounds = 0
        self._sent = 0.0
        means.locate(destination, self._found)

    def drop(self) -> None:
        """Nobody wants to know any more."""
        self._done = None

    def _found(self, targets: Sequence[Destination], problem: str) -> None:
        if self._done is None:
            return
        self._targets = list(targets)
        if not targets:
            self._end(Outcome(None, None, problem, 0.0))
        else:
            self._ask(self._build(self._targets[0]))

    def _ask(self, request: Request) -> None:
        self._rounds += 1
        self._sent = self._means.clock.monotonic()
        self._means.send(
            request,
            self._targets[0],
            lambda response: self._answered(request, response),
            self._failed,
        )

    def _answered(self, request: Request, response: Response) -> None:
        if self._done is None or response.status < 200:
            return
        again = self._revise(request, response) if self._rounds < MAX_ROUNDS else None
        if again is not None:
            self._ask(again)
            return
        target = self._targets[0]
        seconds = self._means.clock.monotonic() - self._sent
        self._conclude(Outcome(target, response, "", seconds), over=response.status != 503)

    def _failed(self, failure: Failure) -> None:
        if self._done is None:
            return
        target = self._targets[0]
        problem = (failure == "transport" and self._means.problem(target)) or NO_ANSWER
        seconds = self._means.clock.monotonic() - self._sent
        self._conclude(Outcome(target, None, problem, seconds), over=False)

    def _conclude(self, outcome: Outcome, *, over: bool) -> None:
        """End with ``outcome``, or try the next target where there is one."""
        if not over:
            self._means.failed(self._targets[0])
            if len(self._targets) > 1:
                del self._targets[0]
                self._rounds = 0
                self._ask(self._build(self._targets[0]))
                return
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)
