"""At start a node tries to reach what it must not: who gets through has no barrier around them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

PROBE_SECONDS = 3.0
"""For all addresses together: a barrier that drops costs as much at every start."""
FORBIDDEN = ("193.0.14.129:53", "[2001:7fd::1]:53")
"""K-root, a root name server of the RIPE NCC ("Root Servers", IANA, read 2026-11-21).

An address for documentation (RFC 5737) would prove nothing, since nobody answers there with or
without a barrier. A root server answers everybody over TCP (RFC 7720, section 3), in both families,
has had its address for decades, and no agent, store or control plane is behind it. A node never
asks it either: only resolvers do. Nothing is sent to it but the handshake.
"""
Outcome: TypeAlias = Literal["connected", "refused", "silent"]


class BarrierMissing(Exception):
    """The node reached what must be out of its reach; the text says what and what to do."""


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    with contextlib.suppress(ValueError):
        six = ipaddress.ip_address(bare).version == 6
        if six == (bare != host) and port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
            return text
    raise ValueError('should be a numeric "ADDRESS:PORT", "[ADDRESS]:PORT" for IPv6, or "off"')


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) and value != "off" else value


ProbeAddress = Annotated[str, AfterValidator(_address)]
EgressProbe = Annotated[
    Literal["off"] | Annotated[tuple[ProbeAddress, ...], Field(min_length=1, max_length=8)],
    BeforeValidator(_several),
]


def addresses_of(setting: EgressProbe | None, *, production: bool) -> tuple[str, ...]:
    """What is probed: what the settings say, else the default, which is on in production only."""
    if setting is None:
        return FORBIDDEN if production else ()
    return () if setting == "off" else setting


async def probe(addresses: Sequence[str], *, seconds: float = PROBE_SECONDS) -> dict[str, Outcome]:
    """Try every address at once; what became of each.

    ``refused`` is an answer at once that it may not or cannot be, ``silent`` none in ``seconds``:
    a barrier that drops, or a network that leads nowhere. Raises :class:`BarrierMissing` when one
    could be connected to.
    """
    async with asyncio.TaskGroup() as group:
        tasks = {each: group.create_task(_try(each, seconds)) for each in addresses}
    outcomes = {each: task.result() for each, task in tasks.items()}
    reached = [each for each, outcome in outcomes.items() if outcome == "connected"]
    if reached:
        raise BarrierMissing(
            f"egress_probe: {', '.join(reached)} can be reached from here, so nothing holds this "
            "node's data back: load the rules of 'inland edge --egress-rules nft', or close the "
            'machine\'s security group; "off" starts without'
        )
    return outcomes


async def _try(address: str, seconds: float) -> Outcome:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    writer.transport.abort()
    return "connected"
