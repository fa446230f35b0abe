"""The demo's telephones: what can be dialled at each region, and who may dial it."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import psutil

from inland.demo.ports import HOST
from regions.catalogue import load_catalogue
from regions.geo import country_name

TENANT, AGENT = "demo-clinic", "clinic-reception"
USER = "clinic"
SOFTPHONE_PORT = 5070
"""Where a softphone on this machine listens that wants to be called."""
FIRST_MEDIA_PORT = 20_000
MEDIA_PORTS = 2_000
"""UDP ports of each region."""
NUMBERS: Mapping[str, str] = {"DE": "+493023125001"}
"""Numbers that are kept free for films (Bundesnetzagentur, notice 148/2021): nobody has them."""


def phone_section(region: str, ports: Mapping[str, int]) -> dict[str, object]:
    """The ``sip:`` section of a region's settings: softphones on this machine may call.

    ``clinic`` is under the region's own law, ``clinic-in`` and its like under that of another
    region of the demo: dialled here, they are sent there. ``clinic-caller`` goes by the caller's
    own number.
    """
    if region not in ports:
        return {}
    countries = {name: load_catalogue().region(name).country for name in ports}
    numbers: list[dict[str, object]] = [
        {"user": USER, "country": countries[region]},
        {"user": f"{USER}-caller", "country": "caller"},
    ]
    numbers += [
        {"user": f"{USER}-{country.lower()}", "country": country}
        for country in sorted(set(countries.values()))
    ]
    numbers += [
        {"number": number, "country": country}
        for country, number in NUMBERS.items()
        if country in countries.values()
    ]
    first = FIRST_MEDIA_PORT + MEDIA_PORTS * list(ports).index(region)
    port = ports[region]
    return {
        "sip": {
            "listen": [f"udp://{HOST}:{port}", f"tcp://{HOST}:{port}"],
            "public_uri": f"sip:{HOST}:{port}",
            "media_ports": [first, first + MEDIA_PORTS - 1],
            "trunks": [
                {
                    "name": "desk",
                    "networks": own_addresses(),
                    "address": f"sip:{HOST}:{SOFTPHONE_PORT}",
                    # A softphone on this desk knows no region but the one that it calls.
                    "routes": [region],
                }
            ],
            "numbers": [{**number, "tenant": TENANT, "agent": AGENT} for number in numbers],
        }
    }


def own_addresses() -> list[str]:
    """Loopback and the addresses of this machine: a softphone on it may call from any of them."""
    found = {"127.0.0.0/8"}
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            text = address.address.partition("%")[0]
            if address.family in (socket.AF_INET, socket.AF_INET6) and not text.startswith("127."):
                found.add(text)
    return sorted(found)


def dialled(region: str, port: int) -> str:
    """What a softphone on this machine dials to reach the clinic in ``region``."""
    return f"sip:{USER}@{HOST}:{port}"


def about(ports: Mapping[str, int]) -> str:
    """A line for people."""
    region, port = next(iter(ports.items()))
    country = country_name(load_catalogue().region(region).country)
    return f"or by a softphone:      {dialled(region, port)}   ({country})"
