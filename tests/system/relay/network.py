"""A region's network with a relay in it, and a caller outside whose network lets no UDP out.

Four network namespaces: the caller, a router, an edge and a relay. The router is what surrounds a
region: it gives the edge its public address (1:1 NAT) and has the balancer's, where TLS ends.
Addresses are the documentation's (RFC 5737) outside and private ones inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

CALLER, CALLER_GATE = "198.51.100.10", "198.51.100.1"
EDGE, EDGE_GATE, EDGES = "10.20.0.20", "10.20.0.17", "10.20.0.16/28"
RELAY, RELAY_GATE = "10.20.0.36", "10.20.0.33"
EDGE_PUBLIC, BALANCER = "203.0.113.20", "203.0.113.36"
CONTROL_PORT, EDGE_PORT, TURN_PORT, TURNS_PORT = 7000, 7100, 3478, 5349

RULES = f"""
table inet story {{
  counter direct {{ }}
  counter to_edge {{ }}
  counter from_edge {{ }}
  chain public {{
    type nat hook prerouting priority dstnat;
    iifname "caller" ip daddr {EDGE_PUBLIC} dnat ip to {EDGE}
  }}
  chain lets_udp_out {{ }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ip saddr {RELAY} ip daddr {EDGE} udp dport 1024-65535 counter name to_edge accept
    ip saddr {EDGE} ip daddr {RELAY} udp dport 1024-65535 counter name from_edge accept
    jump lets_udp_out
    iifname "caller" meta l4proto udp counter name direct drop
    ct state established,related accept
    iifname "caller" ip daddr {EDGE} tcp dport {{ {CONTROL_PORT}, {EDGE_PORT} }} accept
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "caller" ip daddr {BALANCER} tcp dport {TURNS_PORT} accept
  }}
}}
"""
"""Everything that no rule names is dropped without a word, as most firewalls do. ``direct`` counts
media that the caller tried to send to the edge, the other two what relay and edge sent."""


@dataclass(frozen=True, slots=True)
class Network:
    """It is there. Names: ``caller``, ``router``, ``edge``, ``relay``."""

    stem: str

    def namespace(self, name: str) -> str:
        return f"{self.stem}{name}"

    def inside(self, name: str, *command: str) -> list[str]:
        """A command that runs there."""
        return ["ip", "netns", "exec", self.namespace(name), *command]

    def packets(self, counter: str) -> int:
        """What a counter of the router's rules has counted."""
        listed = _run(*self.inside("router", "nft", "-j", "list", "counters"))
        for entry in json.loads(listed)["nftables"]:
            if entry.get("counter", {}).get("name") == counter:
                return int(entry["counter"]["packets"])
        raise KeyError(counter)

    @contextmanager
    def udp_allowed(self) -> Iterator[None]:
        """The caller is for once in a network like most."""
        chain = ("inet", "story", "lets_udp_out")
        rule = ("ip", "saddr", CALLER, "udp", "dport", "1024-65535", "accept")
        _run(*self.inside("router", "nft", "add", "rule", *chain, *rule))
        try:
            yield
        finally:
            _run(*self.inside("router", "nft", "flush", "chain", *chain))


@contextmanager
def network(hosts: str) -> Iterator[Network]:
    """Made, and taken away again. The caller knows the names of ``hosts``, and no others."""
    made = Network(f"inlt{os.getpid():x}-")
    with ExitStack() as cleaning:
        for name in ("router", "caller", "edge", "relay"):
            _run("ip", "netns", "add", made.namespace(name))
            cleaning.callback(_run, "ip", "netns", "delete", made.namespace(name))
            _run("ip", "-n", made.namespace(name), "link", "set", "lo", "up")
        cleaning.enter_context(_names(made.namespace("caller"), hosts))
        _cable(made, "caller", CALLER, CALLER_GATE, 24)
        _cable(made, "edge", EDGE, EDGE_GATE, 28)
        _cable(made, "relay", RELAY, RELAY_GATE, 28)
        router = made.namespace("router")
        _run("ip", "-n", router, "address", "add", f"{BALANCER}/32", "dev", "lo")
        _run(*made.inside("router", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"))
        _run(*made.inside("router", "nft", "-f", "-"), given=RULES)
        yield made


@contextmanager
def _names(namespace: str, hosts: str) -> Iterator[None]:
    """``ip netns exec`` shows these files in place of the machine's (ip-netns(8))."""
    folder = Path("/etc/netns", namespace)
    folder.mkdir(parents=True)
    try:
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}\n")
        (folder / "resolv.conf").write_text("# nobody to ask\n")
        yield
    finally:
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # others' names are in it
            folder.parent.rmdir()


def _cable(made: Network, name: str, address: str, gate: str, length: int) -> None:
    router, own = made.namespace("router"), made.namespace(name)
    _run(
        *("ip", "link", "add", name, "netns", router, "type", "veth"),
        *("peer", "name", "eth0", "netns", own),
    )
    _run("ip", "-n", router, "address", "add", f"{gate}/{length}", "dev", name)
    _run("ip", "-n", own, "address", "add", f"{address}/{length}", "dev", "eth0")
    _run("ip", "-n", router, "link", "set", name, "up")
    _run("ip", "-n", own, "link", "set", "eth0", "up")
    _run("ip", "-n", own, "route", "add", "default", "via", gate)


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
