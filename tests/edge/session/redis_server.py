"""A real redis-server of a test's own, with the users that a region's store has."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from edge.session.redis_settings import RedisSettings
from infra.documents.store import access_string

ADMIN = "redis-tests-admin"
PASSWORDS = {"clinic": "clinic-password", "bank": "bank-password"}


@contextmanager
def unhurried() -> Iterator[None]:
    """On a busy machine a real server, or the test itself, may not run for seconds: here a step, a
    replica, a connection and a sentinel are given up on only when they hang."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge.session.redis_tenants.STEP_SECONDS", 30.0)
        patch.setattr("edge.session.redis_tenants.COPY_MS", 10_000)
        patch.setattr("edge.session.redis_connections.CONNECT_SECONDS", 20.0)
        patch.setattr("edge.session.redis_sentinel.ASK_SECONDS", 10.0)
        yield


class RedisServer:
    """Started by :meth:`start`; what is written survives :meth:`kill`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        # Off, with all rights: the file is replayed under them, see docs/edge.md.
        users = [f"user {ADMIN} on >{ADMIN} ~* &* +@all", "user default off ~* &* +@all"] + [
            f"user inland-{tenant} >{password} {access_string(tenant)}"
            for tenant, password in PASSWORDS.items()
        ]
        settings = [
            *("port 0", "bind 127.0.0.1", "appendonly yes", "appendfsync always", "save ''"),
            *(f"dir {self.folder}", f"unixsocket {self.socket}", *self._options, *users),
        ]
        path = self.folder / "redis.conf"
        path.write_text("\n".join(settings) + "\n")
        self._process = subprocess.Popen(
            ["redis-server", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "accept connections at" in line and "sock" in line:
                return
        raise AssertionError("".join(said))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a machine that dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def admin(self) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self.socket), username=ADMIN, password=ADMIN, protocol=2
        )

    def connections(self, tenant: str) -> list[dict[str, str]]:
        """Those of the tenant's user."""
        with self.admin() as admin:
            return [one for one in admin.client_list() if one["user"] == f"inland-{tenant}"]

    async def disconnect(self, tenant: str) -> None:
        """Close the tenant's connections; returns when this process can have noticed."""
        with self.admin() as admin:
            for one in self.connections(tenant):
                admin.client_kill_filter(_id=one["id"])
        while self.connections(tenant):
            pass
        for _ in range(3):
            await asyncio.sleep(0)

    def settings(self, *tenants: str, url: str | None = None, **more: object) -> RedisSettings:
        """What a node of ``tenants`` (all) is told."""
        users = {}
        for tenant in tenants or PASSWORDS:
            path = self.folder / f"{tenant}.password"
            path.write_text(PASSWORDS[tenant] + "\n")
            users[tenant] = {"username": f"inland-{tenant}", "password_file": path}
        return RedisSettings.model_validate(
            {"redis": url or f"unix://{self.socket}", "users": users, **more}
        )


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """A running server, of which a step is :func:`unhurried`; skips the test where there is no
    program."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    # Not a folder of pytest's: the path of a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="inland-redis-"))
    server = RedisServer(folder, *options)
    try:
        server.start()
        with unhurried():
            yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
