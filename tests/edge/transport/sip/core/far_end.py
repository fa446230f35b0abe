"""A far end for requests outside of calls: a script of answers, and what it was asked."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.transport.sip.core.client_transaction import Failure
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.inquiry import Means
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.wire.message import Request, Response
from tests.fakes.clock import FakeClock

Answer = Callable[[Request], Response | Failure | None]
"""What becomes of a request; None: nothing yet."""

PBX = Destination("udp", "pbx.example.com")
TARGET = Destination("udp", "192.0.2.10", 5060, None, "pbx.example.com")


@dataclass
class Asked:
    request: Request
    target: Destination
    on_response: Callable[[Response], None]
    on_failure: Callable[[Failure], None]

    def header(self, name: str) -> str:
        return self.request.headers.get(name) or ""


class FarEnd:
    """Answers by ``script``, an entry for each request and the last for ever, once the test lets
    it: :meth:`settle`."""

    def __init__(self, *script: Answer) -> None:
        self.clock = FakeClock()
        self.timers = Timers(self.clock)
        self.script = deque(script)
        self.asked: list[Asked] = []
        self.failed: list[Destination] = []
        self.targets: Sequence[Destination] = (TARGET,)
        self.problem = "there is no host pbx.example.com"
        self._open: deque[Asked] = deque()
        self.means = Means(
            clock=self.clock,
            timers=self.timers,
            send=self._send,
            locate=self._locate,
            contact=lambda target: f"sip:inland@10.0.0.1:5060;transport={target.transport}",
            problem=lambda target: "the connection was refused",
            failed=self.failed.append,
            user_agent="Inland",
            rng=random.Random(7),
        )

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that it brings."""
        end = self.clock.monotonic() + seconds
        self.settle()
        while (due := self.timers.deadline) is not None and due <= end:
            self.clock.advance(max(due - self.clock.monotonic(), 0.0))
            self.timers.run()
            self.settle()
        self.clock.advance(end - self.clock.monotonic())

    def settle(self) -> None:
        """Answer what was asked."""
        while self._open:
            asked = self._open.popleft()
            answer = self.script.popleft() if len(self.script) > 1 else self.script[0]
            outcome = answer(asked.request)
            if isinstance(outcome, Response):
                asked.on_response(outcome)
            elif outcome is not None:
                asked.on_failure(outcome)

    def _send(
        self,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> None:
        # As the transaction layer does: with a Via of its own.
        sent = Request(request.method, request.uri, headers=request.headers.copy())
        sent.headers.set("via", "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1")
        asked = Asked(sent, destination, on_response, on_failure)
        self.asked.append(asked)
        self._open.append(asked)

    def _locate(
        self, destination: Destination, found: Callable[[Sequence[Destination], str], None]
    ) -> None:
        if destination.host == PBX.host:
            found(self.targets, "" if self.targets else self.problem)
        else:
            found((destination,), "")


def answer(status: int, **headers: str) -> Answer:
    """A response."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda request: make_response(request, status, headers=named, to_tag="far")


def accept(seconds: int, seen: tuple[str, int] | None = None, **headers: str) -> Answer:
    """A registrar's 200 with the request's own contact, and where it saw the request come from."""

    def respond(request: Request) -> Response:
        contact = (request.headers.get("contact") or "").partition(">")[0] + ">"
        response = answer(200, contact=f"{contact};expires={seconds}", **headers)(request)
        assert isinstance(response, Response)
        if seen is not None:
            via = response.via.with_parameter("received", seen[0])
            response.headers.replace_first("via", str(via.with_parameter("rport", str(seen[1]))))
        return response

    return respond


def silence(request: Request) -> Failure:
    """Nobody answers in time."""
    return "timeout"


def refusal(request: Request) -> Failure:
    """The message cannot be sent."""
    return "transport"


def nothing(request: Request) -> None:
    """The answer is still under way."""
