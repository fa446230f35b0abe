from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.egress.probe import FORBIDDEN, BarrierMissing, EgressProbe, addresses_of, probe

SETTING: TypeAdapter[Any] = TypeAdapter(EgressProbe)


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def closed() -> Iterator[str]:
    """A port that nobody else gets and nobody answers at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def deaf() -> Iterator[str]:
    """A port whose queue is full: the kernel answers no further connection."""
    with socket.socket() as bound, socket.socket() as first, socket.socket() as second:
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(bound.getsockname())
        yield f"127.0.0.1:{bound.getsockname()[1]}"


async def test_a_node_that_reaches_a_forbidden_address_is_told_which_and_what_to_do() -> None:
    async with listening() as address:
        with closed() as other, pytest.raises(BarrierMissing) as error:
            await probe((other, address))
    assert f"egress_probe: {address} can be reached" in str(error.value)
    assert "--egress-rules nft" in str(error.value)


async def test_a_refusal_is_what_a_barrier_looks_like() -> None:
    with closed() as address:
        assert await probe((address,)) == {address: "refused"}


async def test_silence_is_no_connection_and_ends_in_time() -> None:
    with deaf() as address:
        assert await probe((address,), seconds=0.05) == {address: "silent"}


def test_the_default_is_on_in_production_only_and_tries_both_families() -> None:
    assert addresses_of(None, production=False) == ()
    assert addresses_of(None, production=True) == FORBIDDEN
    families = {ipaddress.ip_address(each.rpartition(":")[0].strip("[]")) for each in FORBIDDEN}
    assert {each.version for each in families} == {4, 6}
    # An address that nobody answers at would let every node through.
    assert all(each.is_global for each in families)


def test_what_the_settings_say_counts_with_and_without_production() -> None:
    setting = SETTING.validate_python("198.51.100.1:443")
    for production in (True, False):
        assert addresses_of(setting, production=production) == ("198.51.100.1:443",)
        assert addresses_of("off", production=production) == ()


@pytest.mark.parametrize("value", ["off", "192.0.2.1:443", ["192.0.2.1:53", "[2001:db8::1]:53"]])
def test_a_probe_is_off_or_numeric_addresses_with_ports(value: object) -> None:
    SETTING.validate_python(value)


@pytest.mark.parametrize(
    "value",
    [
        *("no", "192.0.2.1", "example.org:443", "2001:db8::1:53", "[192.0.2.1]:53"),
        *("192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2.1:443/x", [], ["off"], True),
    ],
)
def test_what_is_no_probe_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        SETTING.validate_python(value)
