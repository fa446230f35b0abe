"""Requests of the far end inside a session's dialogs, sorted (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge.transport.sip.core.called import Called
from edge.transport.sip.core.calling import Calling
from edge.transport.sip.core.context import ALLOW
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import InfoReceived
from edge.transport.sip.core.negotiation import Negotiation
from edge.transport.sip.core.refer import Transfer
from edge.transport.sip.core.screening import refusal
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request


class InsideRequests:
    """``on_bye`` and ``on_refer`` are the session's own."""

    def __init__(
        self,
        usage: InviteUsage,
        first: Calling | Called,
        negotiation: Negotiation,
        transfer: Transfer,
        on_bye: Callable[[Request], None],
        on_refer: Callable[[ServerTransaction], None],
    ) -> None:
        self._usage = usage
        self._first = first
        self._negotiation = negotiation
        self._transfer = transfer
        self._on_bye = on_bye
        self._on_refer = on_refer

    def dialogs(self) -> Iterator[Dialog]:
        """Those of the session: of an INVITE of ours there may be several early ones."""
        if isinstance(self._first, Calling):
            for fork in self._first.forks.values():
                yield fork.dialog
        elif self._usage.dialog is not None:
            yield self._usage.dialog

    def dialog(self, remote_tag: str) -> Dialog | None:
        """The one with ``remote_tag``."""
        return next((known for known in self.dialogs() if known.remote_tag == remote_tag), None)

    def received(self, transaction: ServerTransaction) -> None:
        """Answer, now or when the owner has decided."""
        request, usage = transaction.request, self._usage
        dialog = self.dialog(request.from_.tag)
        if dialog is None:
            usage.respond(transaction, 481)
            return
        if not dialog.take(request):
            usage.respond(transaction, 500)
            return
        try:
            refused = refusal(request, usage.context)
            if refused is not None:
                usage.respond(transaction, refused.status, headers=refused.headers)
            else:
                self._dispatch(transaction, dialog)
        except MessageError as error:
            usage.refuse(transaction, error)
        except Exception:
            # Whoever asked is not to wait for an answer that nobody gives.
            usage.respond(transaction, 500)
            raise

    def acknowledged(self, ack: Request) -> None:
        """Give an ACK to whoever waits for it."""
        first = self._first
        accepted = first.accepted if isinstance(first, Called) else None
        if accepted is not None and accepted.cseq == ack.cseq.number:
            accepted.acknowledged(ack)
        else:
            self._negotiation.acknowledged(ack)

    def _dispatch(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        usage, request = self._usage, transaction.request
        method = request.method
        if method == "BYE":
            self._bye(transaction)
        elif usage.ended:
            usage.respond(transaction, 481)
        elif method in ("INVITE", "UPDATE"):
            self._imply_ack()
            self._negotiation.received(transaction)
        elif method == "PRACK":
            self._prack(transaction)
        elif method == "INFO":
            usage.respond(transaction, 200)
            kind = request.headers.get("content-type") or ""
            usage.emit(InfoReceived(kind.partition(";")[0].strip().lower(), request.body))
        elif method == "OPTIONS":
            usage.respond(transaction, 200, headers=usage.context.about("server"))
        elif method == "NOTIFY":
            self._notify(transaction)
        elif method == "REFER":
            self._on_refer(transaction)
        else:
            usage.respond(transaction, 405, headers=[("allow", ALLOW)])

    def _bye(self, transaction: ServerTransaction) -> None:
        usage = self._usage
        usage.respond(transaction, 200)
        if isinstance(self._first, Calling) and usage.state in ("calling", "early"):
            return  # not theirs to say yet; the INVITE's final answer is still to come
        self._on_bye(transaction.request)

    def _imply_ack(self) -> None:
        """Who sends the next request has had our 2xx, though its ACK may be lost; not when that
        is to bring an answer."""
        first = self._first
        if isinstance(first, Called) and first.accepted is not None and first.offer is not None:
            first.accepted.acknowledged(None)

    def _prack(self, transaction: ServerTransaction) -> None:
        usage, request = self._usage, transaction.request
        if not isinstance(self._first, Called) or not self._first.prack(transaction):
            usage.respond(transaction, 481)
        elif request.body:
            self._negotiation.received(transaction)
        else:
            usage.respond(transaction, 200)

    def _notify(self, transaction: ServerTransaction) -> None:
        usage = self._usage
        event = (transaction.request.headers.get("event") or "").partition(";")[0].strip().lower()
        if event != "refer":
            usage.respond(transaction, 489, headers=[("allow-events", "refer")])
        elif not self._transfer.notified(transaction):
            usage.respond(transaction, 481)
