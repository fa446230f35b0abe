from __future__ import annotations

import pytest

from edge.egress.resolve import Target, Unresolved
from edge.egress.ways import METADATA, NetworkWay, NoFixedPort, TcpWay, UdpSource
from tests.edge.egress.site import HOSTS, SETTINGS, Names, found, ways


def test_every_service_of_the_settings_and_the_agents_is_a_way_out_and_nothing_else() -> None:
    assert {(way.host, way.port) for way in ways().tcp} == {
        ("control.example.org", 443),
        ("store.example.org", 6379),
        ("bookings.example.org", 443),
    }


def test_what_is_on_this_machine_is_no_way_out() -> None:
    local = ways(
        {"CLINIC_BOOKING_URL": "http://127.0.0.1:1"},
        control_planes=["http://[::1]:7000"],
        store=SETTINGS["store"] | {"redis": "unix:///run/redis.sock"},
        sip=None,
    )
    assert (local.tcp, local.sip, local.networks, local.sip_ports) == ((), (), (), ())


def test_the_operators_model_is_a_way_out() -> None:
    environ = {
        "CLINIC_BOOKING_URL": "http://127.0.0.1:1",
        "INLAND_MODEL_URL": "https://words.example.org:8443/v1",
        "INLAND_MODEL": "m",
        "INLAND_MODEL_REGION": "here",
    }
    assert TcpWay("model of clinic-reception", "words.example.org", 8443) in ways(environ).tcp


def test_logging_in_by_the_machines_role_asks_the_metadata_service() -> None:
    store = {
        "redis": "rediss://store.example.org",
        "users": {"clinic": {"username": "inland-clinic"}},
        "aws_cache": "inland-eu",
    }
    assert METADATA in {(way.host, way.port) for way in ways(store=store).tcp}
    assert METADATA not in {(way.host, way.port) for way in ways().tcp}


def test_keys_have_ways_of_their_own() -> None:
    there = ways(keys={"redis": "rediss://keys.example.org:6380"})
    assert TcpWay("key store", "keys.example.org", 6380) in there.tcp
    assert "kms.eu-central-1.amazonaws.com" not in {way.host for way in there.tcp}
    wrapped = ways(keys={"kms": {"account": "111122223333", "tenants": {"clinic": "alias/c"}}})
    hosts = {(way.host, way.port) for way in wrapped.tcp}
    assert {("kms.eu-central-1.amazonaws.com", 443), METADATA} < hosts


def test_every_server_that_may_be_primary_is_a_way_out_and_so_are_the_sentinels() -> None:
    """A failover happens without a new barrier."""
    watched = {
        "sentinels": [f"rediss://s{n}.example.org" for n in (1, 2, 3)],
        "master": "inland",
        "nodes": ["rediss://r1.example.org", "rediss://r2.example.org:6380"],
        "users": SETTINGS["store"]["users"],
    }
    keys = {"master": "keys", "nodes": ["rediss://k1.example.org", "rediss://k2.example.org"]}
    there = {(way.what, way.host, way.port) for way in ways(store=watched, keys=keys).tcp}
    assert {each for each in there if "store" in each[0]} == {
        ("session store", "r1.example.org", 6379),
        ("session store", "r2.example.org", 6380),
        ("key store", "k1.example.org", 6379),
        ("key store", "k2.example.org", 6379),
        ("sentinel of the store", "s1.example.org", 26379),
        ("sentinel of the store", "s2.example.org", 26379),
        ("sentinel of the store", "s3.example.org", 26379),
    }


def test_media_leaves_from_the_ports_of_the_workers_and_of_phone_calls() -> None:
    assert ways().media == (
        UdpSource("media", 40_000, 40_001),
        UdpSource("media of phone calls", 20_000, 20_999),
    )
    assert ways().sip_ports == (5060,)


def test_ports_that_are_not_known_before_the_start_cannot_be_let_out() -> None:
    with pytest.raises(NoFixedPort, match="media_port"):
        ways(media_port=0)
    with pytest.raises(NoFixedPort, match=r"sip\.listen"):
        ways(sip=SETTINGS["sip"] | {"listen": ["udp://0.0.0.0:0"]})


def test_a_carriers_own_machines_may_be_sent_requests_inside_calls() -> None:
    assert ways().networks == (NetworkWay("trunk carrier", "198.51.100.0/24", (5060, 5061)),)


async def test_names_become_every_address_they_have() -> None:
    addresses = {(each.address, each.port) for each in (await found()).tcp}
    assert {("203.0.113.1", 443), ("2001:db8::1", 443), ("203.0.113.2", 6379)} < addresses


async def test_a_carrier_is_where_its_srv_records_say() -> None:
    there = await found()
    assert Target("trunk carrier", "203.0.113.4", 5071) in there.tcp
    assert there.sip_udp == (Target("trunk pbx", "192.0.2.10", 5060),)
    assert "sip-1.carrier.example.org" in there.names


async def test_a_carrier_with_a_port_is_not_looked_up_as_a_service() -> None:
    names = Names({**HOSTS, "carrier.example.org": ["203.0.113.9"]})
    trunk = {"name": "carrier", "address": "sip:carrier.example.org:5080"}
    sip = SETTINGS["sip"] | {"trunks": [trunk | {"routes": ["eu-central-1"]}]}
    there = await found(names, sip=sip)
    assert there.sip_udp == (Target("trunk carrier", "203.0.113.9", 5080),)
    assert not [name for name in names.asked if name.startswith("_")]


async def test_a_name_without_an_address_stops_the_printing_and_is_named() -> None:
    with pytest.raises(Unresolved, match=r"session store: store\.example\.org has no address"):
        await found(Names({**HOSTS, "store.example.org": []}))
    with pytest.raises(Unresolved, match=r"control plane: control\.example\.org"):
        await found(Names({}))


async def test_a_resolver_of_this_very_machine_has_ways_of_its_own() -> None:
    there = await found(resolvers=("127.0.0.53", "203.0.113.53", "203.0.113.53", "2001:db8::53"))
    assert there.resolvers == ("203.0.113.53", "2001:db8::53")
