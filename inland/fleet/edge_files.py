"""The settings of a node that takes calls, from what its stack, its machine and its site say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.phone.settings import PhoneSettings
from infra.cloud_init.document import EdgeRole, NodeDocument
from inland.fleet.errors import Unusable
from inland.fleet.metadata import Machine
from inland.fleet.names import host_name, node_name
from inland.fleet.places import Places
from regions.errors import ConfigError
from regions.strict_yaml import load_yaml

MAX_WORKERS = 64
MAX_DRAIN_SECONDS = 3_600
SIGNALLING_PORT = 443
SIP_PORT = 5060
SIPS_PORT = 5061
TURN_PORT = 3478
TURNS_PORT = 5349
OF_THE_NODE = frozenset({"listen", "advertised_host", "public_uri", "tls", "media_ports"})
"""Keys of a phone section that only the node knows: a site's ``phone.yaml`` has none of them."""


@dataclass(frozen=True, slots=True)
class Share:
    """How a node's calls and UDP ports are shared out. Ranges name their first and last port."""

    workers: int
    capacity: int
    """Calls per worker."""
    media_port: int
    """Of worker 0 on WebRTC; the next ones follow."""
    sip_ports: tuple[int, int]
    """Begins with an even port and ends with an odd one."""


def share(calls: int, cpus: int, ports: tuple[int, int]) -> Share:
    """A worker per processor, the lowest ports for WebRTC, all others for telephone calls."""
    workers = max(1, min(cpus, calls, MAX_WORKERS))
    first, last = ports
    start = first + workers + (first + workers) % 2
    return Share(workers, calls // workers, first, (start, last - 1 + last % 2))


def read_phone(places: Places) -> PhoneSettings:
    """The site's ``phone.yaml``: trunks, numbers, registrations. Raises :class:`Unusable`."""
    path = places.site / "phone.yaml"
    try:
        phone = load_yaml(path, PhoneSettings)
    except ConfigError as error:
        raise Unusable(str(error)) from error
    foreign = sorted(OF_THE_NODE & phone.model_fields_set)
    if foreign:
        raise Unusable(f"{path}: {', '.join(foreign)}: every node has its own: remove it")
    return phone


def password_variables(phone: PhoneSettings) -> frozenset[str]:
    """The environment variables that the section reads passwords from."""
    return frozenset(
        place.password_env for _, place in phone.passwords() if place.password_env is not None
    )


def edge_settings(
    document: NodeDocument,
    role: EdgeRole,
    machine: Machine,
    places: Places,
    phone: PhoneSettings | None,
) -> dict[str, Any]:
    """A whole ``NodeSettings`` as plain data. Raises :class:`Unusable`."""
    if machine.public_ipv4 is None:
        raise Unusable("this machine has no public IPv4 address: its subnet has to give it one")
    shared = share(role.calls, machine.cpus, role.media_ports)
    tls = {"certificate": str(places.certificate), "key": str(places.certificate_key)}
    catalogue, providers = places.site / "catalogue.yaml", places.site / "providers.yaml"
    settings = {
        "node": node_name(document, machine),
        "region": document.region,
        "host": "0.0.0.0",
        "port": SIGNALLING_PORT,
        "tls": tls,
        "public_url": f"https://{host_name(document, machine)}",
        "health_host": "0.0.0.0",
        "health_port": document.health_port,
        "media_host": machine.local_ipv4,
        "media_port": shared.media_port,
        "advertised_host": machine.public_ipv4,
        "workers": shared.workers,
        "capacity": shared.capacity,
        "data": str(places.data),
        "audit": {"log": str(places.audit), "heads": str(places.audit_heads)},
        "key_file": str(places.region_key),
        "secret_file": str(places.node_secret),
        "store": {
            "redis": f"rediss://{role.store.host}:{role.store.port}",
            "aws_cache": role.store.cache,
            "users": {tenant: {"username": user} for tenant, user in role.store.users.items()},
        },
        "keys": {
            # No key for others: a tenant without one of its own is refused.
            "kms": {
                "account": role.session_keys.account,
                "tenants": {each: role.session_keys.alias(each) for each in role.store.users},
            }
        },
        "recordings": _recordings(role),
        "policy": {"keys": list(role.policy_keys)} if role.policy_keys else None,
        "tenants": None if role.tenants is None else list(role.tenants),
        "agents": str(places.site / "agents"),
        "catalogue": str(catalogue) if catalogue.exists() else None,
        "providers": str(providers) if providers.exists() else None,
        "control_planes": list(role.control_planes),
        "drain_seconds": min(document.lifecycle.drain_seconds, MAX_DRAIN_SECONDS),
    }
    if role.turn_secret is not None:
        relays = f"turn.{document.domain}"
        settings["turn"] = {
            # TLS is what is left where a network lets no UDP out.
            "urls": [f"turn:{relays}:{TURN_PORT}", f"turns:{relays}:{TURNS_PORT}?transport=tcp"],
            "secret_file": str(places.turn_secret),
        }
    if phone is not None:
        settings["sip"] = phone.model_dump(mode="json", exclude_unset=True) | {
            "listen": [
                f"udp://{machine.local_ipv4}:{SIP_PORT}",
                f"tcp://{machine.local_ipv4}:{SIP_PORT}",
                f"tls://{machine.local_ipv4}:{SIPS_PORT}",
            ],
            "advertised_host": machine.public_ipv4,
            "public_uri": _public_uri(document, role, machine),
            "tls": tls,
            "media_ports": list(shared.sip_ports),
        }
    return {key: value for key, value in settings.items() if value is not None}


def _recordings(role: EdgeRole) -> dict[str, Any] | None:
    place = role.recordings
    if place is None:
        return None
    return {
        "bucket": place.bucket,
        "prefix": place.prefix,
        "account": place.account,
        "kms_key": place.key,
        # As long as a node keeps anything at most; the lifecycle of the bucket ends what is left.
        "keep": f"{min(place.days, 365)}d",
    }


def _public_uri(document: NodeDocument, role: EdgeRole, machine: Machine) -> str:
    """Where other nodes send calls that belong here.

    To the load balancer, whose targets are the shared nodes; a node of a tenant's own fleet is
    behind none, or shared with nodes that would send the call back: it names itself.
    """
    if role.tenants is not None:
        return f"sip:{host_name(document, machine)}"
    return f"sip:sip.{document.domain}"


def environment_file(variables: dict[str, str]) -> bytes:
    """An ``EnvironmentFile`` (systemd.exec(5)): in double quotes, ``\\`` before ``\\ " ` $``.

    Raises :class:`Unusable` for a value with control characters.
    """
    lines = []
    for name, value in variables.items():
        if not value.isprintable():
            raise Unusable(f"{name}: holds control characters: supply another value")
        quoted = "".join(f"\\{char}" if char in '\\"`$' else char for char in value)
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines).encode()
