"""What was dialled, and from which country: pure.

What was dialled is the user of the request's URI; where that is nobody's number, since carriers
put their own account's name there, P-Called-Party-ID (RFC 7315, section 4.2) and To are asked.
Never Diversion: who forwarded a call dialled somebody else, and the last number is ours.

A caller's number is looked at for its country, here. The number itself goes no further than to the
worker that has the call, for the region's own index of subjects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.phone.numbers import country_of_caller, number_of_caller, read_numbers
from edge.phone.settings import PhoneSettings
from edge.phone.trunk import Trunk
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr

MAX_IDENTITIES = 4
"""Values of one header that are looked at."""
_WITHHELD = frozenset({"id", "user", "header"})
"""RFC 3323, section 4.2, and RFC 3325, section 9.3: the caller's name is nobody's business."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """Who answers. ``country`` is the one whose law binds, or None: the caller's number decides."""

    tenant: str
    agent: str
    country: str | None


class DialPlan:
    """The numbers and extensions of a node's settings, for looking up."""

    def __init__(self, phone: PhoneSettings) -> None:
        self._entries: dict[tuple[str, str], Dialled] = {}
        everywhere = tuple(trunk.name for trunk in phone.trunks)
        for number in phone.numbers:
            found = Dialled(number.tenant, number.agent, number.binding_country)
            for trunk in number.trunks or everywhere:
                self._entries[trunk, number.number or number.user or ""] = found
        for entry in phone.registrations:
            self._entries[entry.trunk, entry.username] = Dialled(
                entry.tenant, entry.agent, entry.binding_country
            )

    def find(self, request: Request, trunk: Trunk) -> Dialled | None:
        """What the request dials, as ``trunk`` writes it; None: nothing of ours, answer 404."""
        for text in _dialled_texts(request):
            for name in (text, *read_numbers(text, trunk.national_format)):
                found = self._entries.get((trunk.name, name))
                if found is not None:
                    return found
        return None


def caller_country(request: Request, trunk: Trunk) -> str | None:
    """The country of the caller's own number (ISO 3166-1), or None: withheld, absent, no number.

    A trunk that is trusted to has asserted it (RFC 3325); else it is what the caller says.
    """
    if _withheld(request):
        return None
    for text in _identities(request, trunk):
        country = country_of_caller(text, trunk.national_format)
        if country is not None:
            return country
    return None


def caller_number(request: Request, trunk: Trunk) -> str | None:
    """The caller's own number in E.164, or None: withheld, absent, no number."""
    if _withheld(request):
        return None
    found = (number_of_caller(text, trunk.national_format) for text in _identities(request, trunk))
    return next((number for number in found if number is not None), None)


def _dialled_texts(request: Request) -> Iterator[str]:
    """Users of addresses that may have been dialled, the surest first."""
    values = (
        request.uri,
        _uri_of(request.headers.get("p-called-party-id")),
        _uri_of(request.headers.get("to")),
    )
    yield from (user for user in (_user_of(value) for value in values) if user is not None)


def _identities(request: Request, trunk: Trunk) -> Iterator[str]:
    fields = ("p-asserted-identity", "remote-party-id") if trunk.trust_identity else ()
    for field in (*fields, "from"):
        try:
            values = request.headers.all(field)
        except MessageError:
            continue
        for value in values[:MAX_IDENTITIES]:
            user = _user_of(_uri_of(value))
            if user is not None:
                yield user


def _withheld(request: Request) -> bool:
    asked = {token.strip().lower() for token in (request.headers.get("privacy") or "").split(";")}
    if asked & _WITHHELD:
        return True
    try:
        remote = NameAddr.parse(request.headers.get("remote-party-id") or "<>")
    except MessageError:
        return False
    return (remote.parameters.get("privacy") or "off").lower() in ("full", "uri")


def _uri_of(value: str | None) -> str | None:
    try:
        return None if value is None else NameAddr.parse(value).uri
    except MessageError:
        return None


def _user_of(uri: str | None) -> str | None:
    """The user of a SIP URI or the number of a ``tel`` URI (RFC 3966), without parameters."""
    if uri is None:
        return None
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "tel":
        return rest.partition(";")[0] or None
    try:
        user = SipUri.parse(uri).user
    except MessageError:
        return None
    return (user or "").partition(";")[0] or None
