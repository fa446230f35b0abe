"""The relay's configuration, and a real coturn that is started with it.

The coturn runs in a network namespace of its own with the addresses of the examples.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

import pytest

from edge.clock import Clock, SystemClock
from edge.turn import Relays, TurnSettings
from inland.fleet.errors import Unusable
from inland.fleet.node_view import count_relays
from inland.fleet.turn_conf import ALLOCATIONS_PER_USER, turnserver_conf
from tests.fakes.clock import FakeClock
from tests.inland.fleet.documents import MACHINE, TURN, document

SECRET = "s3cret-s3cret-s3cret"
EDGE, STRANGER, CALLER = "10.20.0.20", "10.20.0.40", "10.20.0.60"
START_SECONDS = 60
NEEDED = ("turnserver", "turnutils_uclient", "turnutils_peer", "ip")

coturn = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(name) is None for name in NEEDED),
    reason="takes root, iproute2 and coturn",
)


def conf(run: Path, secret: str = SECRET) -> str:
    return turnserver_conf(document(TURN), TURN, MACHINE, secret, run=run).decode()


def test_a_secret_that_could_add_a_line_is_refused_unquoted(tmp_path: Path) -> None:
    for secret in ("hunter2-hunter2\nallow-loopback-peers", "short", "hunter2 hunter2 # hunter2"):
        with pytest.raises(Unusable, match="supply another") as refused:
            conf(tmp_path, secret)
        assert secret not in str(refused.value)


def test_a_relay_without_a_public_address_is_refused(tmp_path: Path) -> None:
    machine = replace(MACHINE, public_ipv4=None)
    with pytest.raises(Unusable, match="public IPv4"):
        turnserver_conf(document(TURN), TURN, machine, SECRET, run=tmp_path)


def test_nothing_but_the_peers_is_relayed_to(tmp_path: Path) -> None:
    lines = conf(tmp_path).splitlines()
    assert [line for line in lines if line.startswith("allowed-peer-ip")] == [
        "allowed-peer-ip=10.20.0.16-10.20.0.31"
    ]
    assert "denied-peer-ip=0.0.0.0-255.255.255.255" in lines
    assert "no-cli" in lines and "no-multicast-peers" in lines
    assert "allow-loopback-peers" not in lines


@dataclass(frozen=True)
class Relay:
    """A coturn in the namespace ``name``; ``log`` is what it said."""

    name: str
    log: Path

    def inside(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def allocate(
        self, peer: str, *options: str, secret: str = SECRET, user: str | None = None
    ) -> tuple[int, str]:
        """As :meth:`send`, by a user of that name whose password the tool itself makes."""
        return self.send(peer, "-W", secret, "-u", user or token_hex(8), *options)

    def send(self, peer: str, *options: str) -> tuple[int, str]:
        """Allocate and send three packets to ``peer``; the exit status and what was said."""
        command = ["turnutils_uclient", "-L", CALLER, "-n", "3", "-m", "1", "-c", *options]
        command += ["-e", peer, "-r", "3490", MACHINE.local_ipv4]
        done = subprocess.run(
            self.inside(*command), capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def relays(self) -> int:
        table = subprocess.run(
            self.inside("cat", "/proc/net/udp"), capture_output=True, text=True, check=True
        )
        return count_relays(table.stdout, TURN.relay_ports)


@contextmanager
def started(command: list[str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended at the end."""
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def namespace(name: str) -> Iterator[None]:
    """A network of its own with every address of the example."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["ip", "-n", name]
        subprocess.run([*inside, "link", "set", "lo", "up"], check=True)
        for address in (MACHINE.local_ipv4, EDGE, STRANGER, CALLER):
            subprocess.run([*inside, "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    run = tmp_path_factory.mktemp("turn")
    (run / "turnserver.conf").write_text(conf(run))
    found = Relay(f"inlturn{os.getpid()}", run / "log")
    with namespace(found.name):
        server = found.inside("turnserver", "-c", str(run / "turnserver.conf"))
        peer = found.inside("turnutils_peer", "-L", EDGE, "-p", "3490")
        with started(server, found.log) as process, started(peer, run / "peer"):
            _wait_until_it_listens(found, process)
            yield found


def _wait_until_it_listens(relay: Relay, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    probe = f"exec 3<>/dev/tcp/{MACHINE.local_ipv4}/3478"
    while subprocess.run(
        relay.inside("bash", "-c", probe), stderr=subprocess.DEVNULL, check=False
    ).returncode:
        assert process.poll() is None, relay.log.read_text()
        assert time.monotonic() < deadline, relay.log.read_text()


@coturn
def test_coturn_takes_every_line(relay: Relay) -> None:
    said = relay.log.read_text()
    assert "Bad configuration format" not in said
    assert "Unknown" not in said
    assert "White listing: 10.20.0.16-10.20.0.31" in said


@coturn
@pytest.mark.parametrize("transport", [(), ("-t",)], ids=["udp", "tcp"])
def test_a_caller_with_credentials_reaches_an_edge(relay: Relay, transport: tuple[str]) -> None:
    status, said = relay.allocate(EDGE, *transport)
    assert status == 0, said
    assert "Total lost packets 0 " in said


@coturn
def test_a_caller_with_another_secret_is_refused(relay: Relay) -> None:
    status, said = relay.allocate(EDGE, secret="another-another-another")
    assert status != 0 and "Cannot complete Allocation" in said


def credentials(clock: Clock, secret: str = SECRET) -> tuple[str, str]:
    """User name and password of a caller, as an edge tells them."""
    turn = TurnSettings(urls=("turn:turn.example.org",), secret_file=Path("unread"))
    (link,) = Relays(turn, secret, clock).links("s_1")
    found = re.search(r'username="(.+?)"; credential="(.+?)"', link)
    assert found is not None
    return found[1], found[2]


@coturn
def test_credentials_of_an_edge_open_a_relay(relay: Relay) -> None:
    user, password = credentials(SystemClock())
    status, said = relay.send(EDGE, "-u", user, "-w", password)
    assert status == 0, said
    assert "Total lost packets 0 " in said


@coturn
@pytest.mark.parametrize("wrong", ["expired", "forged", "extended", "another secret"])
def test_other_credentials_open_none(relay: Relay, wrong: str) -> None:
    now = SystemClock().wall()
    user, password = credentials(FakeClock(wall=now - (3_601 if wrong == "expired" else 0)))
    if wrong == "forged":
        password = password[::-1]
    elif wrong == "extended":
        user = f"{int(now) + 7_200}:{user.partition(':')[2]}"
    elif wrong == "another secret":
        user, password = credentials(SystemClock(), "another-another-another")
    status, said = relay.send(EDGE, "-u", user, "-w", password)
    assert status != 0 and "Cannot complete Allocation" in said


@coturn
@pytest.mark.parametrize(
    "peer", [STRANGER, MACHINE.local_ipv4, "127.0.0.1", "169.254.169.254", "198.51.100.1"]
)
def test_no_caller_reaches_anything_but_an_edge(relay: Relay, peer: str) -> None:
    _, said = relay.allocate(peer)
    assert "403 (Forbidden IP)" in said


@coturn
def test_one_caller_s_allocations_are_limited_and_seen_from_outside(relay: Relay) -> None:
    """A refused peer leaves its allocation behind, as a caller does whose network went away."""
    before = relay.relays
    tries = range(ALLOCATIONS_PER_USER + 1)
    said = [relay.allocate(STRANGER, user="one-caller")[1] for _ in tries]
    assert "403 (Forbidden IP)" in said[0]
    assert "486 (Allocation Quota Reached)" in said[-1]
    assert before < relay.relays <= before + ALLOCATIONS_PER_USER


@coturn
def test_coturn_names_a_caller_s_address_only_where_a_connection_breaks(relay: Relay) -> None:
    """Such a line is an error of the system's, quoted by coturn. None of its lines is JSON, so the
    agent ships none: they stay in the machine's own memory."""
    relay.allocate(EDGE)
    naming = [line for line in relay.log.read_text().splitlines() if CALLER in line]
    assert [line for line in naming if "reset by peer" not in line] == []
    assert SECRET not in relay.log.read_text()
