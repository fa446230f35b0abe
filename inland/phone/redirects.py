"""Where a far end that does not take a call says that it should go."""

from __future__ import annotations

from edge.transport.sip.core.events import Ended
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr
from inland.phone.options import parse_target

MAX_TARGETS = 4
"""Of one answer."""


def redirections(end: Ended) -> tuple[SipUri, ...]:
    """The contacts of a 3xx, the best first (RFC 3261 section 8.1.3.4); none of another end.

    Those that cannot be called are left out.
    """
    if end.status is None or not 300 <= end.status < 400 or end.headers is None:
        return ()
    found: list[tuple[float, SipUri]] = []
    try:
        values = end.headers.all("contact")
    except MessageError:
        return ()
    for value in values:
        try:
            contact = NameAddr.parse(value)
            found.append((_weight(contact), parse_target(contact.uri).without_headers()))
        except ValueError:
            continue
    found.sort(key=lambda each: -each[0])
    return tuple(uri for _, uri in found[:MAX_TARGETS])


def _weight(contact: NameAddr) -> float:
    try:
        return float(contact.parameters.get("q") or 1.0)
    except ValueError:
        return 0.0
