"""Address ranges: what a VPC may have, what a carrier may be, and which ranges meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.problems import Key
from infra.settings.region import RegionStack

PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918, section 3."""
WIDEST_VPC = 16
"""AWS allows no wider (VPC User Guide, "VPC CIDR blocks", read 2026-11-21)."""
NARROWEST_VPC = 18
"""Three zones take a /20 each for nodes, and a fourth /20 holds the data subnets."""
WIDEST_CARRIER = 16


def networks_of(stack: RegionStack | ControlPlaneStack) -> list[tuple[Key, str]]:
    """The address ranges that a stack takes, with the key that says so."""
    if isinstance(stack, RegionStack):
        return [(("vpcCidr",), stack.vpc_cidr)]
    return [
        (("regions", number, "vpcCidr"), replicas.vpc_cidr)
        for number, replicas in enumerate(stack.regions)
    ]


def refusal_of_vpc(cidr: str) -> str | None:
    """Why no VPC can have this range, with the cure; None when one can."""
    network = _network(cidr)
    if isinstance(network, str):
        return network
    if not any(network.subnet_of(private) for private in PRIVATE):
        return f"{cidr} is not private: take a range inside 10.0.0.0/8 (RFC 1918)"
    if not WIDEST_VPC <= network.prefixlen <= NARROWEST_VPC:
        return (
            f"a /{network.prefixlen} does not fit: take a /{WIDEST_VPC} to /{NARROWEST_VPC}; "
            "three zones take a /20 each, and data another"
        )
    return None


def refusal_of_carrier(cidr: str) -> str | None:
    """Why no carrier may be let in by this range, with the cure; None when one may."""
    network = _network(cidr)
    if isinstance(network, str):
        return network
    if network.prefixlen < WIDEST_CARRIER:
        return (
            f"a /{network.prefixlen} is no carrier's: SIP without TLS is open to its gateways "
            f"only, so list them, each a /{WIDEST_CARRIER} or narrower"
        )
    return None


def overlapping(cidr: str, others: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those (name, range) of ``others`` that share an address with ``cidr``.

    A range that is none overlaps nothing: it is refused by itself.
    """
    network = _network(cidr)
    if isinstance(network, str):
        return
    for name, other in others:
        found = _network(other)
        if not isinstance(found, str) and network.overlaps(found):
            yield name, other


def _network(cidr: str) -> IPv4Network | str:
    try:
        return IPv4Network(cidr)
    except ValueError:
        pass
    try:
        meant = IPv4Network(cidr, strict=False)
    except ValueError:
        return f"{cidr} is no range of IPv4 addresses: write one like 10.16.0.0/16"
    return f"{cidr} does not begin its range: write {meant}"
