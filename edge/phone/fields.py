"""The kinds of text that a node's ``sip:`` section is made of, each with what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeAlias, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from control_plane.contract import SipAddress
from edge.phone.numbers import is_e164
from edge.transport.sip.core.flow import Transport
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri, bracketed, parse_port

Network: TypeAlias = IPv4Network | IPv6Network
ANY_COUNTRY = "caller"
"""In place of a country: the dialled number binds nobody, the caller's own number is asked."""

_PUBLIC: TypeAdapter[str] = TypeAdapter(SipAddress)
_USER = re.compile(r"[0-9A-Za-z+_.!~*'-]{1,64}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """``host`` is numeric and without brackets; port 0 takes a free one."""

    transport: Transport
    host: str
    port: int


def listen_address(text: str) -> ListenAddress:
    """``udp://0.0.0.0:5060`` or ``tls://[::]:5061`` taken apart. Raises ``ValueError``."""
    scheme, found, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    transport = next((name for name in get_args(Transport) if name == scheme), None)
    try:
        if not found or transport is None:
            raise ValueError
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
        if (address.version == 6) != host.startswith("["):
            raise ValueError
        number = 0 if port == "0" else parse_port(port)
    except (ValueError, MessageError) as error:
        raise ValueError(
            "should be udp://, tcp:// or tls://, a numeric address and a port, "
            "such as udp://0.0.0.0:5060 or tls://[::]:5061"
        ) from error
    return ListenAddress(transport, str(address), number)


def _listen(text: str) -> str:
    listen_address(text)
    return text


def _peer_address(text: str) -> str:
    try:
        uri = SipUri.parse(text)
    except MessageError as error:
        raise ValueError(f"{error.detail}: write sip:host or sip:host:port") from error
    if uri.user is not None or uri.headers:
        raise ValueError("takes no user and no headers: write sip:host or sip:host:port")
    if uri.parameters.keys() - {"transport"} or uri.transport not in get_args(Transport):
        raise ValueError("takes no parameter but ;transport=udp, tcp or tls")
    return text


def _public_address(text: str) -> str:
    try:
        return _PUBLIC.validate_python(text)
    except ValidationError as error:
        raise ValueError("should be sip:host, with :port and ;transport= where needed") from error


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{error}: write an address, or a network without host bits, such as 198.51.100.0/24"
        ) from error
    return text


def _host(text: str) -> str:
    try:
        host = SipUri.parse(f"sip:{bracketed(text)}")
    except MessageError as error:
        raise ValueError("should be a host name or an address, without a port") from error
    if host.port is not None or host.user is not None or host.parameters or host.headers:
        raise ValueError("should be a host name or an address, without a port")
    return text


def _number(text: str) -> str:
    if not is_e164(text):
        raise ValueError('should be in international form with its plus, such as "+496912345678"')
    return text


def _user(text: str) -> str:
    if _USER.fullmatch(text) is None:
        raise ValueError("should be the part of a SIP address before the @, such as clinic or 201")
    return text


def _country(text: str) -> str:
    if text != ANY_COUNTRY and _COUNTRY.fullmatch(text) is None:
        raise ValueError(
            f'should be two capital letters (ISO 3166-1), such as "DE", or {ANY_COUNTRY}: the '
            "caller's own number then decides"
        )
    return text


def _variable(text: str) -> str:
    if _VARIABLE.fullmatch(text) is None:
        raise ValueError("should be the name of an environment variable, not the password itself")
    return text


def _target(text: str) -> str:
    if not text.isprintable() or " " in text or "*" in text[:-1] or not text.rstrip("*"):
        raise ValueError(
            'should be a number or address, or the beginning of some with one * at the end, "+49*"'
        )
    return text


def _fingerprint(text: str) -> str:
    if _FINGERPRINT.fullmatch(text) is None:
        raise ValueError("should be a SHA-256 in hexadecimal, as `openssl x509 -fingerprint` says")
    return text


ListenText = Annotated[str, AfterValidator(_listen)]
"""``udp://address:port``: see :func:`listen_address`."""
PeerAddress = Annotated[str, AfterValidator(_peer_address)]
"""``sip:host[:port][;transport=…]``."""
PublicAddress = Annotated[str, AfterValidator(_public_address)]
"""A ``SipAddress`` of the contract: what goes to the control plane and into others' 302s."""
NetworkText = Annotated[str, AfterValidator(_network)]
"""CIDR, or one address."""
HostText = Annotated[str, AfterValidator(_host)]
E164 = Annotated[str, AfterValidator(_number)]
"""``+`` and at most 15 digits."""
UserPart = Annotated[str, AfterValidator(_user)]
"""What stands before the ``@`` of a SIP address; letter case counts (RFC 3261, section 19.1.4)."""
BindingCountry = Annotated[str, AfterValidator(_country)]
"""ISO 3166-1 alpha-2, or :data:`ANY_COUNTRY`."""
VariableName = Annotated[str, AfterValidator(_variable)]
TargetPattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_target)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
