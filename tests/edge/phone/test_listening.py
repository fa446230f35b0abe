"""The settings as the user agent takes them."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from edge.phone.listening import listen_settings
from edge.transport.sip.net.settings import Advertised, PeerTls, ServerTls
from tests.edge.phone.parts import phone, trunk


def test_addresses_certificates_and_networks_reach_the_user_agent() -> None:
    pinned = {"fingerprint": "ab" * 32}
    settings = listen_settings(
        phone(
            listen=["udp://0.0.0.0:5060", "tcp://[::]:0", "tls://0.0.0.0:5061"],
            advertised_host="203.0.113.7",
            tls={"certificate": "c", "key": "k", "client_ca": "a", "clients": "required"},
            trunks=[
                trunk(address="sip:SIP.Carrier.example;transport=tls", tls=pinned),
                trunk("pbx", networks=["192.0.2.10"], tls={"verify": False}),
            ],
            registrations=[
                {
                    "name": "x",
                    "trunk": "pbx",
                    "registrar": "sip:[2001:db8::1]:5070",
                    "username": "201",
                    "password_env": "P",
                    "tenant": "t",
                    "agent": "a",
                    "country": "DE",
                }
            ],
        )
    )
    assert (settings.udp, settings.tcp) == ((("0.0.0.0", 5060),), (("::", 0),))
    assert settings.tls == (("0.0.0.0", 5061),)
    assert settings.server_tls == ServerTls(Path("c"), Path("k"), Path("a"), "required")
    assert settings.peers == {
        "sip.carrier.example": PeerTls(fingerprint="ab" * 32),
        "2001:db8::1": PeerTls(verify=False),
    }
    assert settings.advertised == Advertised("203.0.113.7")
    assert settings.trusted == (
        ipaddress.ip_network("198.51.100.0/24"),
        ipaddress.ip_network("192.0.2.10/32"),
    )


def test_what_is_not_there_is_not_made_up() -> None:
    settings = listen_settings(phone())
    assert (settings.server_tls, settings.advertised, settings.tls) == (None, None, ())
