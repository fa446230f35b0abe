"""Provisional responses that arrive for sure (RFC 3262): 100rel, RSeq, RAck, PRACK."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.transport.sip.core.context import Header
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.retransmission import Retransmission
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request, Response

MAX_WAITING = 8
"""Provisional responses that wait for the one before them to be acknowledged."""
_MAX_RSEQ = 2**32


@dataclass(frozen=True, slots=True)
class _Provisional:
    status: int
    headers: tuple[Header, ...]
    body: bytes


class ReliableProvisionals:
    """The reliable provisional responses to one INVITE, one at a time (section 3).

    ``on_heard`` is called when all of them are acknowledged, ``on_lost`` when one was not for
    64*T1.
    """

    def __init__(
        self,
        usage: InviteUsage,
        transaction: ServerTransaction,
        on_heard: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._usage = usage
        self._transaction = transaction
        self._on_heard = on_heard
        self._on_lost = on_lost
        self._rseq = usage.context.rng.randrange(1, 2**31)
        self._waiting: deque[_Provisional] = deque()
        self._sent = False
        """Whether ``_rseq`` was sent, and no PRACK for it has come."""
        self._again: Retransmission | None = None
        self._deadline: Timer | None = None

    @property
    def pending(self) -> bool:
        """Whether a PRACK is missing."""
        return self._again is not None

    def send(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send it, after those before it. Beyond ``MAX_WAITING`` it is not sent."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(_Provisional(status, tuple(headers), body))
        if not self.pending:
            self._next()

    def acknowledged(self, prack: Request) -> bool:
        """Whether ``prack`` is for the one that was sent last; if so the next one follows.

        Also after :meth:`stop`: the PRACK may have crossed our final response.
        """
        invite = self._transaction.request.cseq
        wanted = [str(self._rseq), str(invite.number), invite.method]
        if not self._sent or (prack.headers.get("rack") or "").split() != wanted:
            return False
        self._stop()
        self._sent = False
        self._rseq += 1
        if self._waiting:
            self._next()
        else:
            self._on_heard()
        return True

    def stop(self) -> None:
        """Send no more. Idempotent."""
        self._waiting.clear()
        self._stop()

    def _stop(self) -> None:
        if self._again is not None:
            self._again.stop()
        if self._deadline is not None:
            self._deadline.cancel()
        self._again = self._deadline = None

    def _next(self) -> None:
        usage, waiting = self._usage, self._waiting.popleft()
        sdp = "application/sdp" if waiting.body else None
        headers = [*waiting.headers, ("require", "100rel"), ("rseq", str(self._rseq))]
        response = make_response(
            self._transaction.request,
            waiting.status,
            to_tag=usage.local_tag,
            headers=headers,
            body=waiting.body,
            content_type=sdp,
        )

        def send() -> None:
            self._transaction.respond(response)

        timers = usage.context.settings.transactions
        self._again = Retransmission(usage.context.timers, usage.guarded(send), timers.t1)
        self._again.start()
        self._sent = True
        self._deadline = usage.later(timers.timeout, self._lost)
        send()

    def _lost(self) -> None:
        self.stop()
        self._on_lost()


class ReliableReader:
    """The reliable provisional responses of one early dialog, in order (section 4)."""

    def __init__(self) -> None:
        self._last: int | None = None

    def rack(self, response: Response) -> str | None:
        """The RAck for ``response``; None when it came before or too early, and is to be dropped.

        Raises ``MessageError`` when it has no usable RSeq.
        """
        text = (response.headers.get("rseq") or "").strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) >= _MAX_RSEQ:
            raise MessageError("the RSeq is malformed")
        number = int(text)
        if self._last is not None and number != self._last + 1:
            return None
        self._last = number
        return f"{number} {response.cseq}"


def is_reliable(response: Response) -> bool:
    """Whether a provisional response wants a PRACK."""
    return response.status > 100 and "100rel" in response.headers.tokens("require")
