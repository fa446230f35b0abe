"""Whether a trunk is there: OPTIONS every so often (RFC 3261 section 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.transport.sip.core.context import ACCEPT, ALLOW
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.inquiry import Inquiry, Means, Outcome
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.uri import SipUri, bracketed

HealthState: TypeAlias = Literal["unknown", "up", "down"]

DEAD = frozenset({408, 503})
"""Answers that say that nobody is there for calls; any other comes from somebody who is."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """``interval`` is in seconds, less up to a tenth; while the state is in doubt, ``soon`` is."""

    destination: Destination
    interval: float = 30.0
    soon: float = 5.0
    down_after: int = 2
    """Failures in a row that make it down."""
    up_after: int = 2
    """Answers in a row that make it up again."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known now. ``since`` is when the state began, wall time; ``latency`` seconds of the
    last answer; ``status`` the last answer's, ``problem`` in words why there was none."""

    state: HealthState = "unknown"
    since: float = 0.0
    latency: float | None = None
    status: int | None = None
    problem: str = ""


class HealthCheck:
    """``on_change`` is called with each new state. The first outcome decides at once."""

    def __init__(self, settings: HealthSettings, means: Means) -> None:
        self.health = Health()
        self.on_change: Callable[[Health], None] = lambda health: None
        self.failures = 0
        """Questions that nobody answered, in all."""
        self._settings = settings
        self._means = means
        self._streak = 0
        self._timer: Timer | None = None
        self._inquiry: Inquiry | None = None
        self._running = False

    def start(self) -> None:
        """Ask now, and from then on."""
        self._running = True
        self._ask()

    def stop(self) -> None:
        """Ask nothing more. Idempotent."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        if self._inquiry is not None:
            self._inquiry.drop()

    def _ask(self) -> None:
        destination = self._settings.destination
        self._inquiry = Inquiry(
            self._means,
            destination,
            build=lambda target: options(self._means, destination, target),
            revise=_as_it_is,
            done=self._learn,
        )

    def _learn(self, outcome: Outcome) -> None:
        alive = is_alive(outcome)
        before = self.health
        self.failures += not alive
        wanted: HealthState = "up" if alive else "down"
        self._streak = self._streak + 1 if wanted != before.state else 0
        needed = self._settings.up_after if alive else self._settings.down_after
        turned = before.state == "unknown" or self._streak >= needed
        state = wanted if turned else before.state
        response = outcome.response
        self.health = Health(
            state,
            before.since if state == before.state else self._means.clock.wall(),
            outcome.seconds if response is not None else None,
            response.status if response is not None else None,
            outcome.problem,
        )
        if self._running:
            # While the state is in doubt it is worth knowing soon.
            wait = self._settings.interval if state == wanted else self._settings.soon
            self._timer = self._means.timers.after(
                wait * self._means.rng.uniform(0.9, 1.0), self._ask
            )
        if state != before.state:
            self._streak = 0
            self.on_change(self.health)


def is_alive(outcome: Outcome) -> bool:
    """Whether somebody is there who takes calls."""
    return outcome.response is not None and outcome.response.status not in DEAD


def options(means: Means, destination: Destination, target: Destination) -> Request:
    """The question to ``target``, one of the targets of ``destination``."""
    contact = means.contact(target)
    host = SipUri.parse(contact).host
    asked = SipUri(destination.name or destination.host, None, destination.port)
    headers = Headers(
        [
            ("max-forwards", "70"),
            ("from", f"<sip:{bracketed(host)}>;tag={means.token()}"),
            ("to", f"<{asked}>"),
            ("call-id", means.token()),
            ("cseq", "1 OPTIONS"),
            ("contact", f"<{contact}>"),
            ("accept", ACCEPT),
            ("allow", ALLOW),
            ("user-agent", means.user_agent),
        ]
    )
    return Request("OPTIONS", str(asked), headers=headers)


def _as_it_is(request: Request, response: Response) -> None:
    """Whatever is answered tells that somebody is there."""
