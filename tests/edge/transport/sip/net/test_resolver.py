"""Where to send, by a DNS that knows what it is told (RFC 3263)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from edge.transport.sip.core.flow import Destination, Transport
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.lookup import Service, Services
from edge.transport.sip.net.resolver import AVOIDED, MAX_TARGETS, Resolver, in_order
from tests.edge.transport.sip.net.desk import NoDns
from tests.fakes.clock import FakeClock

BOTH = frozenset({4, 6})
EVERYWHERE: dict[Transport, frozenset[int]] = {"udp": BOTH, "tcp": BOTH, "tls": BOTH}
TRUNK = Destination("udp", "trunk.example.com")


def resolver(
    dns: NoDns,
    families: dict[Transport, frozenset[int]] | None = None,
    clock: FakeClock | None = None,
) -> Resolver:
    return Resolver(
        dns, clock or FakeClock(), families=families or EVERYWHERE, rng=random.Random(1)
    )


def srv(*records: tuple[int, int, int, str], ttl: float = 60.0) -> Services:
    return Services(tuple(Service(*record) for record in records), ttl)


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 5060), ("2001:db8::1", 5060)])
async def test_a_numeric_destination_asks_nobody(host: str, port: int) -> None:
    dns = NoDns()
    found = await resolver(dns).resolve(Destination("udp", host))
    assert [(each.host, each.port) for each in found] == [(host, port)]
    assert dns.asked == []


async def test_tls_has_a_port_of_its_own() -> None:
    found = await resolver(NoDns()).resolve(Destination("tls", "192.0.2.1"))
    assert found[0].port == 5061


@pytest.mark.parametrize(
    ("transport", "name"),
    [
        ("udp", "_sip._udp.trunk.example.com"),
        ("tcp", "_sip._tcp.trunk.example.com"),
        ("tls", "_sips._tcp.trunk.example.com"),
    ],
)
async def test_each_transport_has_its_service(transport: Transport, name: str) -> None:
    dns = NoDns({"a.example.com": ["192.0.2.1"]}, {name: srv((1, 1, 5070, "a.example.com"))})
    (found,) = await resolver(dns).resolve(Destination(transport, "trunk.example.com"))
    assert found == Destination(transport, "192.0.2.1", 5070, None, "trunk.example.com")


async def test_a_port_or_a_name_without_a_dot_asks_for_no_service() -> None:
    dns = NoDns({"trunk.example.com": ["192.0.2.1"], "asterisk": ["192.0.2.2"]})
    found = resolver(dns)
    assert (await found.resolve(Destination("udp", "trunk.example.com", 5080)))[0].port == 5080
    assert (await found.resolve(Destination("udp", "asterisk")))[0].host == "192.0.2.2"
    assert dns.asked == ["trunk.example.com", "asterisk"]


async def test_targets_come_by_priority_and_all_of_their_addresses() -> None:
    dns = NoDns(
        {"a": ["192.0.2.1", "2001:db8::1"], "b": ["192.0.2.2"], "c": ["192.0.2.3"]},
        {
            "_sip._udp.trunk.example.com": srv(
                (30, 1, 5062, "c"), (10, 1, 5060, "a"), (20, 1, 5061, "b")
            )
        },
    )
    found = await resolver(dns).resolve(TRUNK)
    assert [(each.host, each.port) for each in found] == [
        ("192.0.2.1", 5060),
        ("2001:db8::1", 5060),
        ("192.0.2.2", 5061),
        ("192.0.2.3", 5062),
    ]


def test_weights_share_the_calls_out() -> None:
    records = [Service(1, 30, 5060, "a"), Service(1, 10, 5060, "b"), Service(1, 0, 5060, "c")]
    rng = random.Random(2)
    first = Counter(in_order(records, rng)[0].target for _ in range(4000))
    assert 2700 < first["a"] < 3200
    assert 800 < first["b"] < 1200
    assert first["c"] < 200


async def test_a_service_that_is_said_not_to_be_offered_is_not_sought_elsewhere() -> None:
    dns = NoDns(
        {"trunk.example.com": ["192.0.2.1"]}, {"_sip._udp.trunk.example.com": srv((0, 0, 0, ""))}
    )
    with pytest.raises(Unreachable):
        await resolver(dns).resolve(TRUNK)


async def test_without_a_service_the_name_itself_is_asked_for() -> None:
    found = await resolver(NoDns({"trunk.example.com": ["192.0.2.1"]})).resolve(TRUNK)
    assert [(each.host, each.port) for each in found] == [("192.0.2.1", 5060)]


async def test_a_resolver_that_knows_no_services_does_not_hide_the_addresses() -> None:
    class Mute(NoDns):
        async def services(self, name: str) -> Services:
            raise Unreachable("dns_failed", "no answer")

    found = await resolver(Mute({"trunk.example.com": ["192.0.2.1"]})).resolve(TRUNK)
    assert found[0].host == "192.0.2.1"


async def test_one_target_without_an_address_does_not_hide_the_others() -> None:
    dns = NoDns(
        {"b": ["192.0.2.2"]},
        {"_sip._udp.trunk.example.com": srv((1, 1, 5060, "a"), (2, 1, 5060, "b"))},
    )
    found = await resolver(dns).resolve(TRUNK)
    assert [each.host for each in found] == ["192.0.2.2"]


async def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(Unreachable) as refused:
        await resolver(NoDns()).resolve(TRUNK)
    assert refused.value.code == "no_such_name"


async def test_an_address_of_a_family_that_we_do_not_have_is_passed_over() -> None:
    dns = NoDns({"trunk.example.com": ["2001:db8::1", "192.0.2.1"], "six": ["2001:db8::6"]})
    only_4 = resolver(dns, {"udp": frozenset({4})})
    assert [each.host for each in await only_4.resolve(TRUNK)] == ["192.0.2.1"]
    with pytest.raises(Unreachable) as refused:
        await only_4.resolve(Destination("udp", "six"))
    assert refused.value.code == "no_socket"


async def test_what_failed_comes_last_for_a_while() -> None:
    clock = FakeClock()
    found = resolver(NoDns({"trunk.example.com": ["192.0.2.1", "192.0.2.2"]}), clock=clock)
    first, second = await found.resolve(TRUNK)
    found.failed(first)
    assert await found.resolve(TRUNK) == (second, first)
    clock.advance(AVOIDED)
    assert await found.resolve(TRUNK) == (first, second)


async def test_answers_are_kept_for_their_time_and_asked_anew_after_it() -> None:
    clock = FakeClock()
    dns = NoDns(
        {"a": ["192.0.2.1"]}, {"_sip._udp.trunk.example.com": srv((1, 1, 5060, "a"), ttl=20.0)}
    )
    found = resolver(dns, clock=clock)
    await found.resolve(TRUNK)
    await found.resolve(TRUNK)
    assert dns.asked == ["_sip._udp.trunk.example.com", "a"]
    clock.advance(25)
    await found.resolve(TRUNK)
    assert dns.asked.count("_sip._udp.trunk.example.com") == 2
    assert dns.asked.count("a") == 1


async def test_a_name_with_a_thousand_targets_has_sixteen() -> None:
    many = [f"192.0.{number // 256}.{number % 256}" for number in range(1000)]
    assert len(await resolver(NoDns({"trunk.example.com": many})).resolve(TRUNK)) == MAX_TARGETS


async def test_the_name_that_tls_checks_is_the_one_asked_for_not_the_services_target() -> None:
    dns = NoDns(
        {"edge7.carrier.net": ["192.0.2.1"]},
        {"_sips._tcp.trunk.example.com": srv((1, 1, 5061, "edge7.carrier.net"))},
    )
    (found,) = await resolver(dns).resolve(Destination("tls", "trunk.example.com"))
    assert found.name == "trunk.example.com"
