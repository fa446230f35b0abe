"""A trunk as calls use it: where it is, who we are to it, what its media may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.phone.line import LineMedia
from edge.phone.settings import PhoneSettings
from edge.phone.trunk import Trunk
from edge.problem import EdgeRefusal
from edge.transport.sip.core.agent import AgentCore, TooManySessions
from edge.transport.sip.core.flow import Destination, destination_of
from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr

ANONYMOUS = "anonymous"
"""From whom a call is when neither the order nor the trunk says (RFC 3323 section 4.1.1.3)."""


class TrunkAccess:
    """Calls through one trunk. ``core`` is the node's user agent."""

    def __init__(
        self,
        trunk: Trunk,
        phone: PhoneSettings,
        credentials: Credentials | None,
        core: Callable[[], AgentCore],
    ) -> None:
        self.trunk = trunk
        self.media = LineMedia(codecs=phone.codecs, srtp=trunk.srtp)
        self.calls = 0
        """Calls that it has here now, both ways."""
        self._credentials = credentials
        self._core = core
        self._uri = None if trunk.address is None else SipUri.parse(trunk.address)

    @property
    def destination(self) -> Destination | None:
        """Where requests to it go; None when it only brings calls."""
        uri = self._uri
        return None if uri is None else destination_of(uri)

    def target(self, to: str) -> str:
        """The URI that means ``to``, a number or a SIP URI, to this trunk. Raises ``EdgeRefusal``
        (``bad_number``)."""
        if self._uri is None:
            raise EdgeRefusal("unknown_trunk", f"trunk {self.trunk.name} takes no calls of ours")
        if to.partition(":")[0].lower() in ("sip", "sips"):
            return to
        user = to.removeprefix("tel:")
        return str(SipUri(self._uri.host, user, self._uri.port))

    def invite(
        self,
        to: str,
        sdp: bytes,
        *,
        caller_id: str | None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Session:
        """Call ``to`` through the trunk. Raises ``EdgeRefusal``: ``bad_number``, ``full``,
        ``unknown_trunk``."""
        destination, target = self.destination, self.target(to)
        if self._uri is None or destination is None:  # ``target`` has said so
            raise EdgeRefusal("unknown_trunk", f"trunk {self.trunk.name} takes no calls of ours")
        user = caller_id or self.trunk.caller_id or self.trunk.username or ANONYMOUS
        try:
            SipUri.parse(target)
            return self._core().invite(
                target,
                destination=destination,
                from_=NameAddr(str(SipUri(self._uri.host, user))),
                to=NameAddr(target),
                sdp=sdp,
                headers=headers,
                credentials=self._credentials,
            )
        except TooManySessions as error:
            raise EdgeRefusal("full", "this node has as many phone calls as it may") from error
        except MessageError as error:
            raise EdgeRefusal("bad_number", f"this cannot be called: {error.detail}") from error
