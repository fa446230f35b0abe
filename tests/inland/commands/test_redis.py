"""The access rules that are printed are those a server takes, and keep tenants apart."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from edge.session.redis_settings import RedisSettings
from edge.session.redis_stores import RedisStores
from inland.__main__ import main
from tests.edge.session.entries import sealed, session
from tests.edge.session.parts import EU, NOW, SESSION, ManualClock

TENANTS = ("clinic", "bank")


def acl(folder: Path, *more: str) -> list[str]:
    tenants = [word for tenant in TENANTS for word in ("--tenant", tenant)]
    return ["redis", "acl", *tenants, "--passwords", str(folder), *more]


@pytest.fixture
def rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(acl(tmp_path / "passwords", "--make")) == 0
    return capsys.readouterr().out


class Server:
    """A server whose users are the printed rules and nothing else, with an append-only file."""

    def __init__(self, folder: Path, rules: str) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        (folder / "users.acl").write_text(rules)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", "0", "--unixsocket", str(self.socket)),
                *("--dir", str(self.folder), "--aclfile", str(self.folder / "users.acl")),
                *("--appendonly", "yes", "--save", ""),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "accept connections at" in line and "sock" in line:
                return
        raise AssertionError("".join(said))

    def stop(self) -> None:
        """Idempotent."""
        if self._process is not None:
            with self._process as process:
                process.terminate()
            self._process = None


@pytest.fixture
def server(rules: str) -> Iterator[Server]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    # Not a folder of pytest's: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="inland-acl-") as folder:
        server = Server(Path(folder), rules)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def stores(folder: Path, socket: Path) -> RedisStores:
    users = {
        tenant: {
            "username": f"inland-{tenant}",
            "password_file": folder / "passwords" / f"{tenant}.password",
        }
        for tenant in TENANTS
    }
    settings = RedisSettings.model_validate({"redis": f"unix://{socket}", "users": users})
    return RedisStores.open(settings, EU, ManualClock())


def password(folder: Path, tenant: str) -> str:
    return (folder / "passwords" / f"{tenant}.password").read_text().strip()


def test_no_password_is_printed_and_each_is_private(tmp_path: Path, rules: str) -> None:
    for tenant in TENANTS:
        word = password(tmp_path, tenant)
        assert word not in rules
        assert f"#{hashlib.sha256(word.encode()).hexdigest()}" in rules
        path = tmp_path / "passwords" / f"{tenant}.password"
        assert path.stat().st_mode & 0o777 == 0o600
    assert password(tmp_path, "clinic") != password(tmp_path, "bank")


def test_a_second_run_prints_the_same(
    tmp_path: Path, rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(acl(tmp_path / "passwords")) == 0
    assert capsys.readouterr().out == rules


async def test_a_server_with_these_rules_serves_its_tenants_and_nobody_else(
    tmp_path: Path, server: Server
) -> None:
    kept = stores(tmp_path, server.socket)
    fence = await kept.of("clinic").create(session(), "a")
    await kept.of("clinic").commit(fence, sealed(1))
    await kept.close()
    theirs = f"inland:clinic:{{{SESSION}}}:journal"
    with redis.Redis(
        unix_socket_path=str(server.socket),
        username="inland-bank",
        password=password(tmp_path, "bank"),
    ) as bank:
        for command in (
            ("HGETALL", theirs),
            ("EVAL", f"return redis.call('HGETALL', '{theirs}')", "0"),
            ("SCAN", "0"),
            ("FLUSHALL",),
        ):
            with pytest.raises(redis.ResponseError, match=r"permission|The user executing"):
                bank.execute_command(*command)
    with (
        redis.Redis(unix_socket_path=str(server.socket)) as nobody,
        pytest.raises(redis.AuthenticationError),
    ):
        nobody.ping()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path, server: Server) -> None:
    """The default user is off and keeps its rights: the file is replayed under them."""
    kept = stores(tmp_path, server.socket)
    await kept.of("clinic").create(session(), "a")
    await kept.close()
    server.stop()
    server.start()
    kept = stores(tmp_path, server.socket)
    assert (await kept.of("clinic").header(SESSION, NOW)).agent == "reception"
    await kept.close()


def test_tenants_are_read_from_the_control_planes_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from inland import demo

    path = Path(demo.__file__).parent / "tenants.yaml"
    command = ["redis", "acl", "--tenants", str(path), "--passwords", str(tmp_path), "--make"]
    assert main(command) == 0
    users = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert users[0] == "default"
    assert {f"{user.removeprefix('inland-')}.password" for user in users[1:]} == {
        file.name for file in tmp_path.iterdir()
    }


@pytest.mark.parametrize(
    ("content", "says"), [(None, "let --make do it"), ("", "is empty"), (b"\xff", "cannot be read")]
)
def test_half_a_file_is_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | bytes | None, says: str
) -> None:
    (tmp_path / "clinic.password").write_text("word")
    if isinstance(content, bytes):
        (tmp_path / "bank.password").write_bytes(content)
    elif content is not None:
        (tmp_path / "bank.password").write_text(content)
    assert main(acl(tmp_path)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err
    assert "word" not in told.err.replace("password", "")


@pytest.mark.parametrize("tenant", ["a b", "Clinic", "x:*", "", "~*"])
def test_what_is_no_tenant_gets_no_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tenant: str
) -> None:
    assert main(["redis", "acl", "--tenant", tenant, "--passwords", str(tmp_path), "--make"]) == 2
    assert capsys.readouterr().out == ""
