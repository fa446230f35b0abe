"""Answers that are given and forgotten: to what cannot be read, and when there is no room."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edge.clock import Clock
from edge.transport.rtp.budget import Budget
from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.return_path import completed, way_back
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request


class StatelessAnswers:
    """Sends at most ``per_second`` answers on average, and is silent beyond that.

    A sender of one small datagram with a forged source makes us send one to somebody else: the
    bound keeps that from being worth anybody's while.
    """

    def __init__(
        self, clock: Clock, send: Callable[[Destination, bytes], None], per_second: float
    ) -> None:
        self._clock = clock
        self._send = send
        self._budget = Budget(per_second, max(1.0, per_second))

    def answer(
        self,
        request: Request,
        flow: Flow,
        status: int,
        to_tag: str | None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Answer ``request``, its top Via completed, unless it is an ACK."""
        if request.method == "ACK":
            return
        response = make_response(request, status, to_tag=to_tag, headers=headers)
        if self._budget.take(1.0, self._clock.monotonic()):
            self._send(way_back(request.via, flow), response.encode())

    def refuse(self, error: MessageError, flow: Flow, to_tag: str) -> None:
        """Answer what ``error`` was found in, when its headers allow it; else do nothing."""
        if error.headers is None:
            return
        cseq = (error.headers.get("cseq") or "").split()
        if len(cseq) != 2:
            return  # the far end could not tell what the answer is to
        request = Request(cseq[1], "", headers=error.headers.copy())
        try:
            request.headers.replace_first("via", str(completed(request.via, flow)))
        except MessageError:
            return
        self.answer(request, flow, error.status, to_tag if _has_to(request) else None)


def _has_to(request: Request) -> bool:
    """Whether there is a To that can be given a tag."""
    try:
        return bool(request.to.uri)
    except MessageError:
        return False
