"""Dialogs (RFC 3261 section 12): who talks to whom, in which order, by which way."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from edge.transport.sip.core.flow import Destination, Flow, Transport, back_to
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr

MAX_ROUTES = 32
"""Longest route set."""
_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}


@dataclass(slots=True)
class Dialog:
    """One side of a dialog. ``local`` and ``remote`` are the From and To of our requests as they
    first stood in a header; so are the ``routes``, the nearest first.

    ``hop`` is where requests go when the remote target and the routes do not say it better: behind
    a NAT, or on a stream.
    """

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int | None
    target: str
    routes: tuple[str, ...]
    secure: bool
    hop: Destination
    behind_nat: bool = False
    """Whether the remote target is an address that only the far end's own network reaches."""

    @classmethod
    def as_callee(cls, request: Request, flow: Flow, tag: str, cseq: int) -> Self:
        """Section 12.1.1. ``cseq`` is the number before that of our first request.

        Raises ``MessageError`` when there is no Contact to send requests to.
        """
        contact = request.contact
        if contact is None:
            raise MessageError("there is no Contact")
        remote = request.from_
        local = request.headers.get("to") or ""
        routes = _routes(request.headers)
        return cls(
            call_id=request.call_id,
            local=local if request.to.tag else f"{local};tag={tag}",
            remote=request.headers.get("from") or "",
            local_tag=tag,
            remote_tag=remote.tag,
            local_cseq=cseq,
            remote_cseq=request.cseq.number,
            target=_target(contact.uri),
            routes=routes,
            secure=flow.transport == "tls" and _is_sips(request.uri),
            hop=back_to(flow),
            behind_nat=not routes and _masked(request, flow, contact.uri),
        )

    @classmethod
    def as_caller(cls, request: Request, response: Response, hop: Destination) -> Self:
        """Section 12.1.2, for our ``request`` that was sent to ``hop``.

        A far end that names no Contact, or none that can be read, is sent its requests where the
        INVITE went. Raises ``MessageError`` when the routes cannot be read.
        """
        routes = _routes(response.headers)[::-1]
        target = _contact_of(response) or request.uri
        return cls(
            call_id=request.call_id,
            local=request.headers.get("from") or "",
            remote=response.headers.get("to") or "",
            local_tag=request.from_.tag,
            remote_tag=response.to.tag,
            local_cseq=request.cseq.number,
            remote_cseq=None,
            target=target,
            routes=routes,
            secure=hop.transport == "tls" and _is_sips(request.uri),
            hop=hop,
            behind_nat=not routes and _is_private(target) and _is_public(hop.host),
        )

    def take(self, request: Request) -> bool:
        """Whether ``request`` is in order; if so its number is the last one (section 12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh(self, message: Request | Response, flow: Flow | None = None) -> None:
        """Take the remote target of a re-INVITE, an UPDATE or a 2xx to one (section 12.2), and
        where it came from when that is all that leads there."""
        if self.behind_nat and flow is not None:
            self.hop = back_to(flow)
        target = _contact_of(message)
        if target is not None and target != self.target:
            self.target = target
            if self.behind_nat and not _is_private(target):
                self.behind_nat = False

    def confirm(self, response: Response) -> None:
        """The 2xx to our INVITE renews the route set and the target (section 13.2.2.4).

        Raises ``MessageError``.
        """
        self.routes = _routes(response.headers)[::-1]
        self.refresh(response)

    def request(
        self,
        method: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        cseq: int | None = None,
    ) -> Request:
        """The next request of ours; ``cseq`` when it belongs to an earlier one (ACK).

        The first route without ``lr`` becomes the request's URI (section 12.2.1.1).
        """
        uri, routes = self.target, list(self.routes)
        if routes and not _is_loose(routes[0]):
            strict = NameAddr.parse(routes[0]).uri.partition("?")[0]
            uri, routes = strict, [*routes[1:], f"<{self.target}>"]
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        fields = [("max-forwards", "70"), *(("route", route) for route in routes)]
        fields += [("from", self.local), ("to", self.remote), ("call-id", self.call_id)]
        fields += [("cseq", f"{cseq} {method}"), *headers]
        return Request(method, uri, headers=Headers(fields), body=body)

    def destination(self) -> Destination:
        """Where the next request of ours goes: the first route, or the remote target.

        The stream that the dialog lives on is used when it leads there; the place where the far
        end's message came from, when its target cannot be reached from here.
        """
        if self.behind_nat:
            return self.hop
        uri = _sip_uri(NameAddr.parse(self.routes[0]).uri if self.routes else self.target)
        if uri is None:
            return self.hop
        flow = self.hop.flow
        same = uri.host == (flow.remote[0] if flow is not None else self.hop.host)
        unsaid = uri.scheme == "sip" and "transport" not in uri.parameters
        # One that came by a stream and does not say so in its Contact has forgotten to.
        transport = self.hop.transport if same and unsaid else _TRANSPORTS.get(uri.transport)
        if transport is None:
            return self.hop
        if same and flow is not None and flow.reliable and flow.transport == transport:
            # The far end's stream has a port of its own: the host is all that can be compared.
            return self.hop
        return Destination(transport, uri.host, uri.port)

    def flow_closed(self, flow: Flow) -> None:
        """That stream is gone; requests open another one."""
        if self.hop.flow == flow and flow.reliable:
            self.hop = Destination(self.hop.transport, self.hop.host, self.hop.port)


def _routes(headers: Headers) -> tuple[str, ...]:
    """The record-route as raw strings; each was looked at, so that later use cannot fail."""
    routes = headers.all("record-route")
    if len(routes) > MAX_ROUTES:
        raise MessageError("there are too many routes")
    for route in routes:
        NameAddr.parse(route).sip_uri()
    return routes


def _is_loose(route: str) -> bool:
    return "lr" in NameAddr.parse(route).sip_uri().parameters


def _target(uri: str) -> str:
    """``uri`` as a request's target. Raises ``MessageError``."""
    SipUri.parse(uri)
    if any(character.isspace() for character in uri):
        raise MessageError("a Contact is malformed")
    return uri


def _contact_of(message: Request | Response) -> str | None:
    try:
        contact = message.contact
        return None if contact is None else _target(contact.uri)
    except MessageError:
        return None


def _sip_uri(uri: str) -> SipUri | None:
    try:
        return SipUri.parse(uri)
    except MessageError:
        return None


def _is_sips(uri: str) -> bool:
    return uri.lower().startswith("sips:")


def _masked(request: Request, flow: Flow, contact: str) -> bool:
    """Whether a far end that speaks to us directly calls itself by an address that does not lead
    to it: a private one, or any other while a NAT stands between."""
    if len(request.headers.all("via")) != 1:
        return False  # it came through a proxy that does not want to stay on the way
    uri = _sip_uri(contact)
    if uri is None:
        return True
    if uri.host != flow.remote[0]:
        return _is_private(contact) or _translated(request, flow)
    return not flow.reliable and uri.port != flow.remote[1] and _translated(request, flow)


def _translated(request: Request, flow: Flow) -> bool:
    """Whether the sender's own address, as its Via has it, is not the one that we see."""
    via = request.via
    if via.host != flow.remote[0]:
        return _address(via.host) is not None
    # A port of its own for sending is legal unless the sender asked for RFC 3581.
    asked = "rport" in via.parameters and not flow.reliable
    return asked and (via.port or 5060) != flow.remote[1]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_private(uri: str) -> bool:
    parsed = _sip_uri(uri)
    address = None if parsed is None else _address(parsed.host)
    return address is not None and not address.is_global


def _is_public(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_global
