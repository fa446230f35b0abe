"""A region with a relay: a control plane, a node, coturn and what ends TLS in front of it.

coturn has the configuration, and the node the relays' addresses, that ``inland fleet`` writes on
machines of a stack. The balancer is a stand-in: twenty lines that end TLS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import inland.demo
from infra.cloud_init.document import TurnRole
from inland.demo.files import page_config
from inland.fleet.edge_files import edge_settings
from inland.fleet.metadata import Machine
from inland.fleet.node_view import count_relays
from inland.fleet.places import Places
from inland.fleet.turn_conf import turnserver_conf
from regions.catalogue import load_catalogue
from tests.edge.transport.sip.net.certificates import Authority
from tests.inland.fleet.documents import EDGE as EDGE_ROLE
from tests.inland.fleet.documents import document
from tests.system.relay.doors import CONTROL, PAGE_PORT
from tests.system.relay.network import (
    BALANCER,
    CONTROL_PORT,
    EDGE,
    EDGE_PORT,
    EDGE_PUBLIC,
    EDGES,
    RELAY,
    Network,
    network,
)

SECRET = "s3cret-s3cret-s3cret"
NODE_SECRET = "n0de-secret-n0de-secret"
KEY = "sk_demo_clinic_local_only"
READY_SECONDS = 120.0
END_SECONDS = 60.0
DEMO = Path(inland.demo.__file__).parent
TURN = TurnRole(
    turn_secret="inland/eu-central-1/turn", relay_ports=(50_000, 50_199), peers=(EDGES,)
)


@dataclass(frozen=True, slots=True)
class Region:
    """It takes calls. ``chromium`` starts a browser on the caller's machine, with ``flag``."""

    network: Network
    chromium: Path
    flag: str
    relay_log: Path
    config: Mapping[str, object]
    """What the page is told."""

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{PAGE_PORT}/"

    @property
    def relays(self) -> int:
        """Allocations that coturn holds now, by its sockets."""
        command = self.network.inside("relay", "cat", "/proc/net/udp")
        table = subprocess.check_output(command, text=True, timeout=30)
        return count_relays(table, TURN.relay_ports)


@contextmanager
def region(folder: Path) -> Iterator[Region]:
    """Started, and ended in the order that a region would be."""
    domain = f"turn.{document().domain}"
    with network(f"{BALANCER} {domain}") as made, ExitStack() as running:
        start = _Starter(made, folder, running)
        run = folder / "run"
        run.mkdir()
        machine = Machine("i-0123456789abcdef0", "eu-central-1", RELAY, BALANCER, 2)
        conf = run / "turnserver.conf"
        conf.write_bytes(turnserver_conf(document(TURN), TURN, machine, SECRET, run=run))
        start("relay", ["turnserver", "-c", str(conf)], "coturn")
        proof = Authority(folder).issue(domain)
        start("router", _door("tls", str(proof.certificate), str(proof.key)), "tls")
        control, edge = _settings(folder, run)
        start("edge", _inland("control-plane", "--config", str(control)), "control-plane")
        start("edge", _inland("edge", "--config", str(edge)), "edge")
        config = page_config(CONTROL, load_catalogue(), ("eu-central-1",))
        start("caller", _door("page", json.dumps(config)), "page")
        subprocess.run(
            made.inside("edge", *_door("placed", KEY)), check=True, timeout=READY_SECONDS
        )
        chromium = folder / "chromium"
        chromium.write_text(
            f'#!/bin/sh\nexec ip netns exec {made.namespace("caller")} /usr/bin/chromium "$@"\n'
        )
        chromium.chmod(0o700)
        flag = f"--ignore-certificate-errors-spki-list={_pin(proof.certificate)}"
        yield Region(made, chromium, flag, folder / "coturn.log", config)


def _settings(folder: Path, run: Path) -> tuple[Path, Path]:
    """Files of the control plane and of the node."""
    control, edge = folder / "control-plane.yaml", folder / "edge.yaml"
    control.write_text(
        yaml.safe_dump(
            {
                "host": EDGE,
                "port": CONTROL_PORT,
                "tenants": str(DEMO / "tenants.yaml"),
                "node_secrets": {"eu-central-1": hashlib.sha256(NODE_SECRET.encode()).hexdigest()},
            }
        )
    )
    places = Places(run=run, site=folder)
    role = EDGE_ROLE.model_copy(update={"turn_secret": TURN.turn_secret})
    machine = Machine("i-0123456789abcdef1", "eu-central-1", EDGE, EDGE_PUBLIC, 2)
    places.turn_secret.write_text(SECRET)
    (folder / "node.secret").write_text(NODE_SECRET)
    edge.write_text(
        yaml.safe_dump(
            {
                "node": "eu-central-1-a",
                "region": "eu-central-1",
                "host": EDGE,
                "port": EDGE_PORT,
                "public_url": f"http://{EDGE_PUBLIC}:{EDGE_PORT}",
                "media_host": EDGE,
                "advertised_host": EDGE_PUBLIC,
                "workers": 2,
                "data": str(folder / "data"),
                "agents": str(DEMO / "agents"),
                "control_planes": [f"http://{EDGE}:{CONTROL_PORT}"],
                "secret_file": str(folder / "node.secret"),
                "drills": True,
                "drain_seconds": 1,
                "turn": edge_settings(document(role), role, machine, places, None)["turn"],
            }
        )
    )
    return control, edge


@dataclass(frozen=True, slots=True)
class _Starter:
    made: Network
    folder: Path
    running: ExitStack

    def __call__(self, where: str, command: list[str], name: str) -> None:
        """Start it there; it ends with ``running``."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.made.inside(where, *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "CLINIC_BOOKING_URL": "http://[::1]:9",
                },
            )
        self.running.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _inland(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "inland", *arguments]


def _door(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.system.relay.doors", *arguments]


def _pin(certificate: Path) -> str:
    """What Chromium knows a key by: SHA-256 of its SubjectPublicKeyInfo, base64."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()
