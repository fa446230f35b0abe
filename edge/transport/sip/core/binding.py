"""What a registrar's 200 says: how long our contact stands, and how the registrar sees us."""

from __future__ import annotations

from dataclasses import replace

from edge.transport.sip.core.flow import Address
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Response
from edge.transport.sip.wire.uri import SipUri, parse_port
from edge.transport.sip.wire.values import NameAddr

LONGEST = 86_400
"""Seconds: no registrar's word binds us for longer."""


def granted(response: Response, contact: SipUri, asked: int) -> int:
    """For how many seconds ``contact`` is bound (RFC 3261 section 10.2.4); 0 when it is not.

    Some registrars list no contacts, or list them in another spelling: then their Expires counts,
    or what was ``asked``.
    """
    general = _seconds(response.headers.get("expires"))
    fallback = asked if general is None else general
    try:
        listed = [NameAddr.parse(text) for text in response.headers.all("contact")]
    except MessageError:
        return fallback
    for entry in listed:
        if _same(entry, contact):
            named = _seconds(entry.parameters.get("expires"))
            return fallback if named is None else named
    return fallback


def seen_as(response: Response) -> Address | None:
    """Where our request came from, as the registrar saw it (RFC 3581 section 4), if it says so."""
    try:
        via = response.via
        port = via.parameters.get("rport")
        host = via.parameters.get("received")
        if host is None and port is None:
            return None
        # ``SipUri`` also checks what the registrar calls a host.
        uri = SipUri.parse(f"sip:{_bracketed(host)}") if host else SipUri(via.host)
        return uri.host, parse_port(port) if port else via.port or 5060
    except MessageError:
        return None


def interval_wanted(response: Response) -> int | None:
    """The Min-Expires of a 423 (RFC 3261 section 20.23), if it can be met."""
    return _seconds(response.headers.get("min-expires")) or None


def retry_after(response: Response) -> float:
    """Seconds that the far end asks us to stay away (RFC 3261 section 20.33), an hour at most."""
    text = (response.headers.get("retry-after") or "").partition(";")[0].partition("(")[0]
    return float(min(_seconds(text) or 0, 3600))


def moved(contact: SipUri, place: Address) -> SipUri:
    """``contact`` at another host and port."""
    return replace(contact, host=place[0], port=place[1])


def _same(entry: NameAddr, contact: SipUri) -> bool:
    try:
        uri = entry.sip_uri()
    except MessageError:
        return False
    return (uri.user, uri.host, uri.port or 5060) == (
        contact.user,
        contact.host,
        contact.port or 5060,
    )


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    if not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:9]), LONGEST)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
