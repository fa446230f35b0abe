"""A node with every kind of way out, and the names that its site has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.egress.resolve import Found, resolved
from edge.egress.ways import Ways, ways_of
from edge.settings import NodeSettings
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.lookup import Service, Services
from tests.fakes.dialog import agent

SETTINGS: Mapping[str, Any] = {
    "node": "a",
    "region": "eu-central-1",
    "data": "/var/lib/inland",
    "agents": "/etc/inland/agents",
    "media_port": 40_000,
    "workers": 2,
    "control_planes": ["https://control.example.org", "http://127.0.0.1:7000"],
    "store": {
        "redis": "rediss://store.example.org",
        "users": {"clinic": {"username": "inland-clinic", "password_file": "/etc/inland/clinic"}},
    },
    "sip": {
        "listen": ["udp://0.0.0.0:5060", "tls://0.0.0.0:5061"],
        "tls": {"certificate": "/c.pem", "key": "/c.key"},
        "media_ports": [20_000, 20_999],
        "trunks": [
            {
                "name": "carrier",
                "address": "sip:carrier.example.org;transport=tls",
                "networks": ["198.51.100.0/24"],
                "routes": ["eu-central-1"],
            },
            {"name": "pbx", "address": "sip:192.0.2.10", "routes": ["eu-central-1"]},
        ],
    },
}
ENVIRON = {"CLINIC_BOOKING_URL": "https://bookings.example.org/v1"}
HOSTS = {
    "control.example.org": ["203.0.113.1", "2001:db8::1"],
    "store.example.org": ["203.0.113.2"],
    "bookings.example.org": ["203.0.113.3"],
    "sip-1.carrier.example.org": ["203.0.113.4"],
}


class Names:
    """A resolver that knows these hosts and one carrier's servers."""

    def __init__(self, hosts: Mapping[str, Sequence[str]]) -> None:
        self._hosts = hosts
        self.asked: list[str] = []

    async def services(self, name: str) -> Services:
        self.asked.append(name)
        if name != "_sips._tcp.carrier.example.org":
            return Services((), 0.0)
        return Services((Service(1, 1, 5071, "sip-1.carrier.example.org"),), 60.0)

    async def addresses(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._hosts:
            raise Unreachable("no_such_name", f"there is no host {host}")
        return self._hosts[host]


def ways(environ: Mapping[str, str] = ENVIRON, **changes: Any) -> Ways:
    settings = NodeSettings.model_validate({**SETTINGS, **changes})
    return ways_of(settings, [agent("clinic-reception")], environ)


async def found(
    names: Names | None = None, resolvers: Sequence[str] = ("203.0.113.53",), **changes: Any
) -> Found:
    return await resolved(ways(**changes), names or Names(HOSTS), resolvers)
