"""The barrier around a node for nftables: what is listed may be begun, all else is refused.

Refused and not dropped, so that a program that tries hears at once that it may not (RFC 1812,
section 5.2.7.1), and counted, so that an operator sees that one did.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from edge.egress.resolve import Found

TABLE = "inland_egress"
REFUSED = "refused"
"""The counter of what nothing allowed."""
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}")
"""A user's name or number (useradd(8))."""
_FAMILY = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_NEIGHBOURS = "nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit"
"""Without these nobody is reached over IPv6 (RFC 4861)."""


def ruleset(found: Found, *, user: str | None, at: datetime) -> str:
    """The rules as ``nft -f`` reads them; a second reading replaces the first in one step, and
    goes on counting what is refused.

    With ``user`` only the packets of that user's programs are held back. ``at`` is when the names
    were asked for.
    """
    sets = dict(_sets(found))
    chain = [
        "type filter hook output priority filter; policy drop;",
        *([] if user is None else [f'meta skuid != "{user}" accept']),
        'oifname "lo" accept',
        "ct state established,related counter accept",
        "ct state invalid counter drop",
        f"icmpv6 type {{ {_NEIGHBOURS} }} accept",
        *_rules(found),
        # A socket that is just connecting overhears an ICMP message, and tries for a second more.
        f"meta l4proto tcp counter name {REFUSED} reject with tcp reset",
        f"counter name {REFUSED} reject with icmpx admin-prohibited",
    ]
    name = f"table inet {TABLE}"
    lines = [*_header(found, user, at), f"{name} {{", f"  counter {REFUSED} {{}}"]
    lines += [f"  set {each} {{ type {kind}; counter; }}" for each, (kind, _) in sets.items()]
    # What an earlier reading left is taken away here, and the whole file is one step.
    lines += ["}", f"flush {name}", *(f"flush set inet {TABLE} {each}" for each in sets)]
    lines += [f"{name} {{"]
    for each, (kind, elements) in sets.items():
        if elements:
            lines += [f"  set {each} {{", f"    type {kind}; counter;", "    elements = {"]
            lines += [f'      {key} comment "{_comment(what)}",' for key, what in elements.items()]
            lines += ["    }", "  }"]
    lines += ["  chain output {", *(f"    {line}" for line in chain), "  }", "}", ""]
    return "\n".join(lines)


def user_name(text: str) -> str:
    """A user of a machine. Raises ``ValueError`` for what cannot be one."""
    if _USER.fullmatch(text) is None:
        raise ValueError("cannot be a user's name or number")
    return text


def _header(found: Found, user: str | None, at: datetime) -> Iterator[str]:
    yield f"# What an Inland node may begin, as of {at:%Y-%m-%dT%H:%M:%SZ}. Load with: nft -f FILE"
    yield f"# What was refused: nft list counter inet {TABLE} {REFUSED}"
    if user is None:
        yield "# It holds for every program of this machine, its clock and its updates, too:"
        yield "# name the service's user (--egress-user) to hold back that one only."
    if not found.names:
        yield "# No name had to be resolved. Print it again when the settings or agents change."
        return
    yield "# Print and load it again when the settings or agents change, when the node is started,"
    yield "# and when one of these names leads elsewhere; a timer every five minutes sees to that:"
    for name, addresses in sorted(found.names.items()):
        yield f"#   {name}: {', '.join(addresses)}"


def _sets(found: Found) -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
    """Each set's name, its type, and its elements with what they are."""
    for version, (_, kind) in _FAMILY.items():
        for name, targets in (("tcp", found.tcp), ("sip", found.sip_udp)):
            elements: dict[str, str] = {}
            for each in targets:
                if ipaddress.ip_address(each.address).version == version:
                    key = f"{each.address} . {each.port}"
                    before = f"{elements[key]}, " if key in elements else ""
                    elements[key] = before + each.what
            yield f"{name}{version}", (f"{kind} . inet_service", elements)
        resolvers = [
            each for each in found.resolvers if ipaddress.ip_address(each).version == version
        ]
        yield f"dns{version}", (kind, dict.fromkeys(resolvers, "resolver"))


def _rules(found: Found) -> Iterator[str]:
    from_sip = f"udp sport {{ {_list(found.sip_ports)} }}"
    for version, (family, _) in _FAMILY.items():
        yield f"{family} daddr . tcp dport @tcp{version} accept"
        yield f"{family} daddr @dns{version} meta l4proto {{ tcp, udp }} th dport 53 accept"
        if found.sip_ports:
            yield f"{from_sip} {family} daddr . udp dport @sip{version} accept"
    for way in found.networks:
        family, _ = _FAMILY[ipaddress.ip_network(way.network).version]
        to = f"{family} daddr {way.network}"
        comment = f'comment "{_comment(way.what)}"'
        if found.sip_ports:
            yield f"{to} {from_sip} counter accept {comment}"
        yield f"{to} tcp dport {{ {_list(way.tcp_ports)} }} counter accept {comment}"
    for source in found.media:
        ports = f"{source.first}-{source.last}" if source.last > source.first else f"{source.first}"
        yield f'udp sport {ports} counter accept comment "{_comment(source.what)}"'


def _list(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports))


def _comment(text: str) -> str:
    """At most 128 bytes, without what ends a comment (nft(8))."""
    return re.sub(r"[^A-Za-z0-9 .,_'-]", "", text)[:120]
