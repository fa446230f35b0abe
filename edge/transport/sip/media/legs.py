"""The phone media of one worker: its ports, its sockets, its legs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from edge.clock import Clock
from edge.media.ticker import Ticker
from edge.transport.sip.media.agreement import LocalMedia, MediaPolicy
from edge.transport.sip.media.carrier import Patience, RtpCarrier
from edge.transport.sip.media.destination import is_loopback
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.poll import SocketPoll
from edge.transport.sip.media.ports import PortRange

_PATIENCE = Patience()


class SipMedia:
    """The phone media of one worker: its ports, its sockets, its legs.

    ``host`` is the numeric address to bind to, IPv4 or IPv6, ``advertised`` the one that far ends
    are told, when it is another. All sockets are looked at in every step of the ticker. Raises
    ``ValueError`` when neither is an address that a far end could send to.
    """

    def __init__(
        self,
        host: str,
        ports: range,
        advertised: str | None,
        ticker: Ticker,
        clock: Clock,
        *,
        patience: Patience = _PATIENCE,
    ) -> None:
        if ipaddress.ip_address(advertised or host).is_unspecified:
            raise ValueError("a wildcard host needs an advertised address")
        self.ports = PortRange(host, ports, clock)
        self._host = advertised or host
        self._own = frozenset({host, self._host})
        self._loopback = is_loopback(self._host)
        self._ticker = ticker
        self._clock = clock
        self._patience = patience
        self._poll = SocketPoll()
        self._legs: set[SipLeg] = set()
        self._end: Callable[[], None] = _nothing

    @property
    def legs(self) -> int:
        """Legs that are not closed."""
        return len(self._legs)

    def start(self) -> None:
        """Packets are taken from now on."""
        self._end = self._ticker.each_step(self._poll.poll)

    async def close(self) -> None:
        """End every leg and free everything."""
        for leg in list(self._legs):
            leg.release()
        self._end()
        self._poll.close()

    def answer(
        self, offer: bytes, policy: MediaPolicy, *, signalling: str | None = None
    ) -> tuple[SipLeg, bytes]:
        """A leg for a call that comes in, and our answer to its offer.

        ``signalling`` is the host that the offer came from, if known. Raises ``OfferError`` and
        ``PortsExhausted``; then nothing is held.
        """
        leg = self._leg(policy, signalling)
        try:
            return leg, leg.answer(offer)
        except OfferError:
            leg.release()
            raise

    def offer(
        self,
        policy: MediaPolicy,
        *,
        signalling: str | None = None,
        after: tuple[int, int] | None = None,
    ) -> tuple[SipLeg, bytes]:
        """A leg for a call that goes out, or came in without an offer, and our offer.

        ``after`` is the session id and version of the description that this one follows, when the
        call was another's until now (RFC 3264 section 8). Raises ``PortsExhausted``.
        """
        leg = self._leg(policy, signalling, after)
        return leg, leg.reoffer()

    def _leg(
        self,
        policy: MediaPolicy,
        signalling: str | None,
        after: tuple[int, int] | None = None,
    ) -> SipLeg:
        pair = self.ports.take()
        carrier = RtpCarrier(
            pair, self._poll, self._clock, self._patience, own=self._own, loopback=self._loopback
        )

        def closed() -> None:
            self._legs.discard(leg)
            self.ports.give_back(pair)

        local = LocalMedia(self._host, pair.port, pair.port + 1)
        if after is not None:
            local.session_id, local.version = after
        leg = SipLeg(
            carrier,
            local,
            policy,
            self._ticker,
            self._clock,
            signalling=signalling,
            on_closed=closed,
        )
        self._legs.add(leg)
        return leg


def _nothing() -> None:
    pass
