"""The two questions that finding a far end asks of DNS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from edge.transport.sip.net.errors import Unreachable

LIFETIME = 4.0
"""Seconds for one question, retries included."""


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782). An empty ``target`` says that the service is not offered."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Services:
    """The records of one name, in no order, good for ``ttl`` seconds."""

    records: tuple[Service, ...]
    ttl: float


class Lookup(Protocol):
    """DNS, or what stands in for it."""

    async def services(self, name: str) -> Services:
        """The SRV records; none when the name does not exist. Raises ``Unreachable``."""
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """Numeric addresses in order of preference. Raises ``Unreachable``."""
        ...


class SystemLookup:
    """The machine's resolvers: SRV by dnspython, addresses as the machine itself finds them."""

    async def services(self, name: str) -> Services:
        try:
            resolver = dns.asyncresolver.Resolver()
            answer = await resolver.resolve(name, "SRV", lifetime=LIFETIME, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Services((), 0.0)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Unreachable("dns_failed", f"DNS did not say where {name} is") from error
        records = tuple(
            Service(
                record.priority,
                record.weight,
                record.port,
                record.target.to_text(omit_final_dot=True).rstrip("."),
            )
            for record in answer
            if isinstance(record, SRV)
        )
        return Services(records, float(answer.rrset.ttl if answer.rrset is not None else 0))

    async def addresses(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LIFETIME):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise Unreachable("dns_failed", f"DNS did not answer for {host}") from error
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                raise Unreachable("no_such_name", f"there is no host {host}") from error
            raise Unreachable("dns_failed", f"DNS did not answer for {host}") from error
        except (OSError, UnicodeError) as error:
            raise Unreachable("no_such_name", f"{host!r} is no host name") from error
        return [str(entry[4][0]) for entry in found]
