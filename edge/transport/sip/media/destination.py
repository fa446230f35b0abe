"""Whether media may be sent where a session description says."""

from __future__ import annotations

import ipaddress

from edge.transport.sip.core.flow import Address

_PRIVILEGED = 1024
"""No telephone listens for media below; what does is somebody's server."""


def usable(address: Address | None, *, family: int, loopback: bool) -> Address | None:
    """The address in its usual form, or None when nothing is to be sent there.

    A description is a stranger's word: it must not make us send to a group, to nobody, to another
    service of this machine (unless ``loopback``: the caller is on it), or to a well-known port.
    ``family`` is 4 or 6; a mapped IPv4 address counts as IPv4. A name is not looked up.
    """
    if address is None or not _PRIVILEGED <= address[1] <= 65_535:
        return None
    try:
        host = ipaddress.ip_address(address[0])
    except ValueError:
        return None
    if isinstance(host, ipaddress.IPv6Address):
        if host.scope_id:
            return None
        host = host.ipv4_mapped or host
    if host.version != family or host.is_multicast or host.is_unspecified:
        return None
    if host == ipaddress.IPv4Address("255.255.255.255"):
        return None
    if host.is_loopback and not loopback:
        return None
    return str(host), address[1]


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a numeric address of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
