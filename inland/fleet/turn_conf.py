"""The configuration of coturn 4.6 on a relay (turnserver(1), README.turnserver of coturn 4.6.1)."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from infra.cloud_init.document import NodeDocument, TurnRole
from inland.fleet.errors import Unusable
from inland.fleet.metadata import Machine

PORT = 3478
ALLOCATIONS_PER_USER = 8
"""A session has one name, whatever credentials it gets (edge.turn). Its browser opens one relay by
UDP and one by TLS at each connection; one whose network went away is held for ten minutes."""
NONCE_SECONDS = 600
_SECRET = re.compile(r"[A-Za-z0-9_.~+/=-]{16,256}")


def turnserver_conf(
    document: NodeDocument,
    role: TurnRole,
    machine: Machine,
    secret: str,
    *,
    run: Path,
    port: int = PORT,
) -> bytes:
    """The whole file. Raises :class:`Unusable`."""
    if machine.public_ipv4 is None:
        raise Unusable("this machine has no public IPv4 address: its subnet has to give it one")
    if _SECRET.fullmatch(secret) is None:
        raise Unusable(
            f"secret {role.turn_secret}: should be 16 to 256 letters, digits or _.~+/=-: "
            "supply another"
        )
    first, last = role.relay_ports
    lines = [
        f"listening-ip={machine.local_ipv4}",
        f"listening-port={port}",
        f"relay-ip={machine.local_ipv4}",
        # Without "/private": coturn would let callers send to that address of this machine.
        f"external-ip={machine.public_ipv4}",
        f"min-port={first}",
        f"max-port={last}",
        f"realm={document.domain}",
        "fingerprint",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        f"stale-nonce={NONCE_SECONDS}",
        f"user-quota={ALLOCATIONS_PER_USER}",
        f"total-quota={last - first + 1}",
        # The load balancer ends TLS; what reaches this machine is UDP and plain TCP.
        "no-tls",
        "no-dtls",
        "no-tcp-relay",
        "no-multicast-peers",
        "no-cli",
        "no-rfc5780",
        "no-stun-backward-compatibility",
        "response-origin-only-with-rfc5780",
        "no-software-attribute",
        # An address that is both denied and allowed is allowed.
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        *(f"allowed-peer-ip={_range(peers)}" for peers in role.peers),
        f"userdb={run / 'turndb'}",
        f"pidfile={run / 'turnserver.pid'}",
        "log-file=stdout",
        "simple-log",
    ]
    return "\n".join((*lines, "")).encode()


def _range(network: str) -> str:
    found = ipaddress.ip_network(network)
    return f"{found[0]}-{found[-1]}"
