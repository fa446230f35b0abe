"""Real servers and sentinels of a test's own: three of each on loopback, one server the primary.

Users, rights and passwords are those that ``inland redis`` prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from edge.session.redis_settings import RedisSettings
from inland.__main__ import main
from tests.edge.session.redis_server import unhurried
from tests.edge.transport.sip.net.certificates import Authority
from tests.peers.program import free_ports

MASTER = "inland"
TENANTS = ("clinic", "bank")
DOWN_MS = 2_000
"""After so long without an answer a sentinel takes a server to be down. On a busy machine, a server
may not answer for a second and be well."""
NEVER_MS = 3_600_000
"""For a test that wants no failover."""
PATIENCE = 90.0
"""Seconds after which a test gives up on what must happen. A sentinel that could not run for two
seconds chooses no primary for the next thirty ("TILT mode", redis.io, 2026-11-21)."""


class Process:
    """A server or a sentinel; what it says is in ``folder/log``."""

    def __init__(self, folder: Path, port: int, settings: list[str], *more: str) -> None:
        self.folder = folder
        self.port = port
        self._settings = settings
        self._more = more
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        path = self.folder / "conf"
        own = [f"dir {self.folder}", "bind 127.0.0.1"]
        own += [f"logfile {self.folder}/log", f"unixsocket {self.folder}/sock"]
        path.write_text("\n".join([*own, *self._settings]) + "\n")
        self.process = subprocess.Popen(["redis-server", str(path), *self._more])
        wait(lambda: (self.folder / "sock").exists(), "a server's socket")

    def kill(self) -> None:
        """As a machine that dies."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            (self.folder / "sock").unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


class SentinelSite:
    """Made by :func:`sentinel_site`. ``servers[0]`` is the primary at first."""

    def __init__(self, folder: Path, authority: Authority | None, down_ms: int) -> None:
        self.folder = folder
        self._down_ms = down_ms
        self.authority = authority
        self._files = None if authority is None else authority.issue("127.0.0.1")
        self.servers_acl = self._acl("acl", "--tenant", "clinic", "--tenant", "bank", "--sentinels")
        self.sentinels_acl = self._acl("sentinel-acl")
        admin = "user tests on >tests ~* &* +@all\n"
        (folder / "servers.acl").write_text(self.servers_acl + admin)
        (folder / "sentinels.acl").write_text(self.sentinels_acl + admin)
        first = free_ports(6)
        ports = list(range(first, first + 6))
        self.servers = [self._server(place, ports) for place in range(3)]
        self.sentinels = [self._sentinel(place, ports) for place in range(3)]

    def _acl(self, action: str, *more: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            told = ["redis", action, *more, "--passwords", str(self.folder / "passwords"), "--make"]
            assert main(told) == 0
        return said.getvalue()

    def password(self, name: str) -> str:
        return (self.folder / "passwords" / f"{name}.password").read_text().strip()

    def _port(self, port: int) -> list[str]:
        if self.authority is None or self._files is None:
            return [f"port {port}"]
        return [
            *("port 0", f"tls-port {port}", "tls-replication yes", "tls-auth-clients no"),
            f"tls-cert-file {self._files.certificate}",
            f"tls-key-file {self._files.key}",
            f"tls-ca-cert-file {self.authority.path}",
        ]

    def _server(self, place: int, ports: list[int]) -> Process:
        folder = self.folder / f"r{place}"
        folder.mkdir()
        settings = [
            *self._port(ports[place]),
            f"aclfile {self.folder}/servers.acl",
            *("appendonly yes", "save ''", "repl-diskless-sync-delay 0"),
            *("masteruser inland_replica", f"masterauth {self.password('_replica')}"),
            *("min-replicas-to-write 1", "min-replicas-max-lag 10"),
        ]
        if place:
            settings.append(f"replicaof 127.0.0.1 {ports[0]}")
        return Process(folder, ports[place], settings)

    def _sentinel(self, place: int, ports: list[int]) -> Process:
        folder = self.folder / f"s{place}"
        folder.mkdir()
        password = self.password("_sentinel")
        settings = [
            *self._port(ports[3 + place]),
            f"aclfile {self.folder}/sentinels.acl",
            f"sentinel monitor {MASTER} 127.0.0.1 {ports[0]} 2",
            f"sentinel auth-user {MASTER} inland_sentinel",
            f"sentinel auth-pass {MASTER} {password}",
            "sentinel sentinel-user inland_sentinel",
            f"sentinel sentinel-pass {password}",
            f"sentinel down-after-milliseconds {MASTER} {self._down_ms}",
            f"sentinel failover-timeout {MASTER} 5000",
        ]
        return Process(folder, ports[3 + place], settings, "--sentinel")

    def start(self) -> None:
        """Returns when everybody knows everybody, so that a failover can begin."""
        for each in (*self.servers, *self.sentinels):
            each.start()
        wait(lambda: all(self._ready(each) for each in self.sentinels), "sentinels that agree")

    def kill(self) -> None:
        for each in (*self.sentinels, *self.servers):
            each.kill()

    def admin(self, which: Process) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(which.folder / "sock"),
            username="tests",
            password="tests",
            protocol=2,
        )

    def primary(self) -> Process:
        """The one that most sentinels name."""
        named = self._named()
        port = max(set(named), key=named.count)
        return next(server for server in self.servers if server.port == port)

    def _named(self) -> list[int]:
        ports = []
        for each in self.sentinels:
            with self.admin(each) as sentinel:
                ports.append(sentinel.sentinel_masters()[MASTER]["port"])
        return ports

    def wait_for_another(self, former: Process) -> Process:
        """Returns the new primary once every sentinel names it, and it has a replica."""
        wait(lambda: len({*self._named()} - {former.port}) == len({*self._named()}) == 1, "another")
        found = self.primary()

        def serves() -> bool:
            with self.admin(found) as server:
                told = server.info("replication")
            return bool(told["role"] == "master" and told["min_slaves_good_slaves"] >= 1)

        wait(serves, "a primary with a replica")
        return found

    def empty(self) -> None:
        with self.admin(self.primary()) as admin:
            admin.flushall()

    @contextmanager
    def asleep(self, *which: Process) -> Iterator[None]:
        """They answer nobody, and their connections stay open."""
        for each in which:
            os.kill(each.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in which:
                os.kill(each.pid, signal.SIGCONT)

    def denied(self) -> list[str]:
        """What any user was refused by any of them."""
        found = []
        for each in (one for one in (*self.servers, *self.sentinels) if one.process):
            with self.admin(each) as admin:
                found += [f"{one['username']}: {one['object']}" for one in admin.acl_log()]
        return found

    def _ready(self, which: Process) -> bool:
        with self.admin(which) as sentinel:
            known = sentinel.sentinel_masters()[MASTER]
        return bool(
            known["num-other-sentinels"] == 2
            and known["num-slaves"] == 2
            and not known["is_disconnected"]
            and known["flags"] == "master"
        )

    def settings(self, **more: object) -> RedisSettings:
        """What a node is told."""
        passwords = self.folder / "passwords"
        scheme = "redis" if self.authority is None else "rediss"
        told = {
            "ca": None if self.authority is None else self.authority.path,
            "sentinels": [f"{scheme}://127.0.0.1:{each.port}" for each in self.sentinels],
            "sentinel_user": {
                "username": "inland_node",
                "password_file": passwords / "_node.password",
            },
            "master": MASTER,
            "nodes": [f"{scheme}://127.0.0.1:{each.port}" for each in self.servers],
            "users": {
                tenant: {
                    "username": f"inland-{tenant}",
                    "password_file": passwords / f"{tenant}.password",
                }
                for tenant in TENANTS
            },
        }
        return RedisSettings.model_validate(told | more)


def wait(happened: object, what: str) -> None:
    """Until it has; other programs do it, so nothing tells when."""
    assert callable(happened)
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if happened():
                return
        assert time.monotonic() < until, f"waited for {what} in vain"
        time.sleep(0.02)


@contextmanager
def sentinel_site(
    authority: Authority | None = None, down_ms: int = DOWN_MS
) -> Iterator[SentinelSite]:
    """A running site, of which a step is unhurried; skips the test where there is no program."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="inland-sentinel-"))
    site = SentinelSite(folder, authority, down_ms)
    try:
        site.start()
        with unhurried():
            yield site
    finally:
        site.kill()
        shutil.rmtree(folder)
