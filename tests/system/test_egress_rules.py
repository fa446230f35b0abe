"""The printed barrier, loaded in a machine of its own: what is listed connects, no more does."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import inland.demo
from tests.system.machine.namespaces import Namespace, cable

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces take root"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("ip", "nft"))), reason="needs iproute2 and nftables"
    ),
]
AGENTS = Path(inland.demo.__file__).parent / "agents"
FAR4, FAR6 = "203.0.113.1", "2001:db8:1::1"
CONTROL, STORE, BOOKINGS, TRUNK, OTHER = 7000, 6379, 8443, 5061, 8080
DROPPED_SECONDS = 10.0
"""When no answer means that a barrier drops where it should refuse."""
REFUSED = {errno.EHOSTUNREACH, errno.EACCES, errno.EPERM, errno.ECONNREFUSED}


@dataclass(frozen=True, slots=True)
class Barred:
    """A machine behind the barrier of its node, and what is beyond."""

    machine: Namespace
    beyond: Namespace

    def connects(self, host: str, port: int) -> bool:
        """Over TCP; who may not is refused, and left in no doubt."""

        def work() -> bool:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family) as client:
                client.settimeout(DROPPED_SECONDS)
                code = client.connect_ex((host, port))
                assert code in REFUSED | {0}, os.strerror(code)
                return code == 0

        return self.machine.call(work)

    def sends(self, host: str, port: int, *, source: int) -> bool:
        """Over UDP, from the port ``source``; whether it arrived."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def bind() -> socket.socket:
            bound = socket.socket(family, socket.SOCK_DGRAM)
            bound.bind((host, port))
            bound.settimeout(DROPPED_SECONDS)
            return bound

        def work() -> bool:
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.bind(("", source))
                try:
                    client.sendto(b"x", (host, port))
                except OSError as error:
                    assert error.errno in REFUSED
                    return False
                return True

        with self.beyond.call(bind) as far:
            return self.machine.call(work) and far.recv(16) == b"x"

    @property
    def refused(self) -> int:
        """Packets that the barrier has refused."""
        command = self.machine.command(
            "nft", "-j", "list", "counter", "inet", "inland_egress", "refused"
        )
        out = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
        found = [each["counter"] for each in json.loads(out)["nftables"] if "counter" in each]
        return int(found[0]["packets"])


def settings(folder: Path) -> Path:
    """A node whose every service is at the far end of the cable."""
    values: dict[str, Any] = {
        "node": "a",
        "region": "eu-central-1",
        "data": str(folder / "data"),
        "agents": str(AGENTS),
        "media_port": 40_000,
        "control_planes": [f"https://{FAR4}:{CONTROL}", f"https://[{FAR6}]:{CONTROL}"],
        "providers": str(folder / "providers.yaml"),
        "store": {
            "redis": f"redis://{FAR4}:{STORE}",
            "users": {"clinic": {"username": "c", "password_file": str(folder / "password")}},
        },
        "sip": {
            "listen": ["udp://0.0.0.0:5060"],
            "trunks": [
                {
                    "name": "carrier",
                    "address": f"sip:{FAR4}:5070",
                    "networks": ["203.0.113.8/29"],
                    "routes": ["eu-central-1"],
                },
                {
                    "name": "pbx",
                    "address": f"sip:{FAR4};transport=tls",
                    "routes": ["eu-central-1"],
                },
            ],
        },
    }
    provider = {
        "id": "bookings",
        "purposes": ["tool"],
        "endpoints": [f"https://{FAR4}:{BOOKINGS}"],
        "region": "eu-central-1",
        "operator": {"name": "Bookings GmbH", "country": "DE"},
        "data_classes": ["variables"],
    }
    (folder / "password").write_text("word")
    (folder / "providers.yaml").write_text(yaml.safe_dump({"providers": [provider]}))
    (folder / "edge.yaml").write_text(yaml.safe_dump(values))
    return folder / "edge.yaml"


def printed(config: Path, *options: str) -> str:
    environ = os.environ | {"CLINIC_BOOKING_URL": f"https://{FAR4}:{BOOKINGS}/v1"}
    command = [sys.executable, "-m", "inland", "edge", "--config", str(config)]
    done = subprocess.run(
        [*command, "--egress-rules", "nft", *options],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(machine: Namespace, rules: str) -> None:
    subprocess.run(machine.command("nft", "-f", "-"), input=rules.encode(), check=True, timeout=30)


@contextmanager
def answering(beyond: Namespace) -> Iterator[None]:
    """TCP at every port of interest: only the barrier keeps anybody from it."""

    def listen() -> list[socket.socket]:
        places = [(FAR4, port) for port in (CONTROL, STORE, BOOKINGS, TRUNK, OTHER, 53, 80)]
        places += [(FAR6, CONTROL), (FAR6, OTHER), ("203.0.113.9", 5060), ("203.0.113.9", OTHER)]
        places += [("203.0.113.2", CONTROL)]
        return [
            socket.create_server(
                place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET
            )
            for place in places
        ]

    with ExitStack() as closing:
        for each in beyond.call(listen):
            closing.enter_context(each)
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settings(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def barred(config: Path) -> Iterator[Barred]:
    near = (f"{FAR4}/24", "203.0.113.2/24", "203.0.113.9/24")
    with cable(near, ("203.0.113.100/24",), FAR4) as (beyond, machine):
        for end, address in ((beyond, f"{FAR6}/64"), (machine, "2001:db8:1::100/64")):
            # Without the wait for a second machine with the same address (RFC 4862, section 5.4).
            command = ["ip", "address", "add", address, "dev", "eth0", "nodad"]
            subprocess.run(end.command(*command), check=True, timeout=30)
        with answering(beyond):
            there = Barred(machine, beyond)
            assert there.connects(FAR4, OTHER), "nothing but the barrier may be in the way"
            assert there.connects(FAR6, OTHER)
            load(machine, printed(config))
            yield there


@pytest.mark.parametrize(
    ("host", "port"),
    [
        *((FAR4, CONTROL), (FAR6, CONTROL), (FAR4, STORE), (FAR4, BOOKINGS), (FAR4, TRUNK)),
        ("203.0.113.9", 5060),
    ],
)
def test_what_is_listed_connects(barred: Barred, host: str, port: int) -> None:
    before = barred.refused
    assert barred.connects(host, port)
    assert barred.refused == before


@pytest.mark.parametrize(
    ("host", "port"),
    [
        *((FAR4, OTHER), (FAR6, OTHER), (FAR4, 80), (FAR4, 53), ("203.0.113.2", CONTROL)),
        ("203.0.113.9", OTHER),
    ],
)
def test_everything_else_is_refused_and_counted(barred: Barred, host: str, port: int) -> None:
    before = barred.refused
    assert not barred.connects(host, port)
    assert barred.refused > before


@pytest.mark.parametrize("host", [FAR4, FAR6])
def test_media_goes_anywhere_but_from_its_own_ports_only(barred: Barred, host: str) -> None:
    assert barred.sends(host, 51_234, source=40_000)
    assert barred.sends(host, 51_234, source=20_000)
    before = barred.refused
    assert not barred.sends(host, 51_234, source=40_001)
    assert not barred.sends(host, 51_234, source=50_000)
    assert barred.refused >= before + 2


def test_signalling_goes_to_its_carriers_and_to_no_other(barred: Barred) -> None:
    assert barred.sends(FAR4, 5070, source=5060)
    assert barred.sends("203.0.113.9", 5999, source=5060)
    assert not barred.sends("203.0.113.2", 5060, source=5060)
    assert not barred.sends(FAR4, 5070, source=5061)


def test_a_caller_who_came_is_answered(barred: Barred) -> None:
    with barred.machine.call(lambda: socket.create_server(("", 7100))) as node:

        def answer() -> None:
            with node.accept()[0] as caller:
                caller.sendall(b"hello")

        worker = threading.Thread(target=answer, daemon=True)
        worker.start()

        def call() -> bytes:
            with socket.create_connection(("203.0.113.100", 7100), timeout=30) as caller:
                return caller.recv(16)

        assert barred.beyond.call(call) == b"hello"
        worker.join(30)


def test_a_second_reading_takes_away_what_is_gone_and_goes_on_counting(
    barred: Barred, config: Path, tmp_path: Path
) -> None:
    barred.connects(FAR4, OTHER)
    before = barred.refused
    assert before > 0
    rules = printed(config)
    fewer = "".join(line for line in rules.splitlines(True) if f" {STORE} comment" not in line)
    try:
        load(barred.machine, fewer)
        assert barred.refused >= before, "and what a kernel still sends of what was closed"
        assert not barred.connects(FAR4, STORE)
        assert barred.connects(FAR4, CONTROL)
    finally:
        load(barred.machine, rules)
    assert barred.connects(FAR4, STORE)


def test_the_rules_of_one_user_hold_back_nobody_else(barred: Barred, config: Path) -> None:
    try:
        load(barred.machine, printed(config, "--egress-user", "nobody"))
        assert barred.connects(FAR4, OTHER)
        probe = f"import socket; raise SystemExit(socket.socket().connect_ex(('{FAR4}', {OTHER})))"
        command = barred.machine.command(
            *("setpriv", "--reuid", "nobody", "--clear-groups", "/usr/bin/python3", "-c", probe)
        )
        done = subprocess.run(command, timeout=30)
        assert done.returncode in REFUSED
    finally:
        load(barred.machine, printed(config))
