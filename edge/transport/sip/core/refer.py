"""Transfers (RFC 3515): giving the far end away, and being asked to go elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edge.transport.sip.core.context import Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import ReferProgress
from edge.transport.sip.core.respond import REASONS
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage, Outcome
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.extras.replaces import Replaces
from edge.transport.sip.wire.extras.sipfrag import SIPFRAG, format_sipfrag, parse_sipfrag
from edge.transport.sip.wire.message import Request, Response
from edge.transport.sip.wire.values import NameAddr


def refer_to(target: str, replaced: Dialog | None) -> str:
    """The Refer-To for ``target``, a URI that may have headers; with ``replaced`` its call takes
    our place in that dialog. The tags are as the far end there sees them (RFC 3891 section 3).

    Raises ``MessageError``.
    """
    if replaced is None:
        return f"<{target}>"
    wanted = ReferTo.parse(f"<{target}>")
    theirs = Replaces(replaced.call_id, replaced.remote_tag, replaced.local_tag)
    return str(ReferTo(wanted.uri, (*wanted.headers, ("Replaces", str(theirs)))))


class Transfer:
    """A REFER of ours and its implicit subscription.

    ``ReferProgress`` is emitted for each word of how it goes; the last one is ``final``. A far end
    that hangs up meanwhile has had its last word.
    """

    def __init__(self, usage: InviteUsage) -> None:
        self._usage = usage
        self._running = False
        self._asked = False
        """Whether there ever was a REFER: late notifications are taken then."""
        self._last = (100, REASONS[100])
        self._patience: Timer | None = None
        usage.on_finished.append(self._finished)

    @property
    def running(self) -> bool:
        """Whether it is not known yet how it went."""
        return self._running

    def refer(self, to: str, headers: Sequence[Header]) -> None:
        """Ask the far end to call ``to``, as :func:`refer_to` writes it."""
        usage = self._usage
        self._running = self._asked = True
        self._last = (100, REASONS[100])
        fields = [("refer-to", to), *headers]
        if usage.dialog is not None and "referred-by" not in [name.lower() for name, _ in headers]:
            own = NameAddr.parse(usage.dialog.local).uri
            fields.append(("referred-by", f"<{own}>"))  # RFC 3892
        fields.append(("user-agent", usage.context.user_agent))
        self._wait()
        usage.request("REFER", self._answered, headers=fields)

    def notified(self, transaction: ServerTransaction) -> bool:
        """Take a NOTIFY; False when no REFER asked for it."""
        request = transaction.request
        if not self._asked:
            return False
        self._usage.respond(transaction, 200)
        if self._running:
            status = _status(request)
            state = (request.headers.get("subscription-state") or "").partition(";")[0]
            over = state.strip().lower() == "terminated"
            if status is not None or over:
                self._tell(status or self._last, over)
        return True

    def _answered(self, outcome: Outcome) -> None:
        if not self._running:
            return
        if not isinstance(outcome, Response):
            status = 408 if outcome == "timeout" else 503
            self._tell((status, REASONS[status]), True)
        elif outcome.status >= 300:
            self._tell((outcome.status, outcome.reason), True)
        elif outcome.status >= 200:
            refused = (outcome.headers.get("refer-sub") or "").strip().lower() == "false"
            if refused:  # nobody will notify us (RFC 4488)
                self._tell((outcome.status, outcome.reason), True)

    def _tell(self, status: tuple[int, str], over: bool) -> None:
        self._last = status
        final = over or status[0] >= 200
        if final:
            self._running = False
            if self._patience is not None:
                self._patience.cancel()
        else:
            self._wait()
        self._usage.emit(ReferProgress(*status, final))

    def _wait(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        seconds = self._usage.context.settings.transfer_seconds
        self._patience = self._usage.later(seconds, self._too_long)

    def _too_long(self) -> None:
        self._tell((408, REASONS[408]), True)

    def _finished(self) -> None:
        if self._running:
            self._tell(self._last, True)


class Referral:
    """A REFER of theirs that the owner has taken: it calls :meth:`accept` or :meth:`refuse`, and
    after the former :meth:`report` until that was final. Nothing happens after the session.

    Raises ``MessageError`` when there is no Refer-To that can be read.
    """

    def __init__(self, usage: InviteUsage, transaction: ServerTransaction) -> None:
        request = transaction.request
        targets = request.headers.lines("refer-to")
        if len(targets) != 1:
            raise MessageError("there is not one Refer-To")
        self.to = ReferTo.parse(targets[0])
        """Whom to call."""
        self.by = request.headers.get("referred-by")
        self._usage = usage
        self._transaction = transaction
        self._number = request.cseq.number
        silent = (request.headers.get("refer-sub") or "").strip().lower() == "false"
        self._state: Literal["asked", "silent", "active", "over"] = "asked"
        self._silent = silent
        self._patience = usage.later(usage.context.settings.answer_seconds, self._too_long)
        usage.on_finished.append(self._finished)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be said of it."""
        return self._state in ("silent", "over")

    def accept(self) -> None:
        """Say 202, and that it is being tried."""
        if self._state != "asked" or self._usage.ended:
            return
        self._patience.cancel()
        headers = [("refer-sub", "false")] if self._silent else []
        self._state = "silent" if self._silent else "active"
        self._usage.respond(self._transaction, 202, headers=headers)
        self.report(100)

    def refuse(self, status: int = 603) -> None:
        """Do not go."""
        if self._state == "asked":
            self._over()
            self._usage.respond(self._transaction, status)

    def report(self, status: int, reason: str | None = None) -> None:
        """Tell how the call to :attr:`to` is going; from 200 on it is the last word."""
        if self._state != "active" or self._usage.ended:
            return
        final = status >= 200
        state = "terminated;reason=noresource" if final else "active;expires=120"
        phrase = REASONS.get(status, "") if reason is None else reason
        headers = [
            ("event", f"refer;id={self._number}"),
            ("subscription-state", state),
            ("content-type", SIPFRAG),
            ("user-agent", self._usage.context.user_agent),
        ]
        body = format_sipfrag(status, phrase)
        self._usage.request("NOTIFY", _ignore, headers=headers, body=body)
        if final:
            self._over()

    def _too_long(self) -> None:
        self.refuse(603)

    def _finished(self) -> None:
        self.refuse(487)
        self._over()

    def _over(self) -> None:
        self._state = "over"
        self._patience.cancel()
        if self._finished in self._usage.on_finished:
            self._usage.on_finished.remove(self._finished)


def _status(request: Request) -> tuple[int, str] | None:
    """What a NOTIFY says of the new call, if anything."""
    if request.content_type != SIPFRAG.partition(";")[0]:
        return None
    try:
        return parse_sipfrag(request.body)
    except MessageError:
        return None


def _ignore(outcome: Outcome) -> None:
    pass
