"""The way to Redis is encrypted, and the server is who it says it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.session.errors import StoreBroken
from edge.session.redis_stores import RedisStores
from tests.edge.session.entries import sealed, session
from tests.edge.session.parts import EU, ManualClock
from tests.edge.session.redis_server import RedisServer, redis_server
from tests.edge.transport.sip.net.certificates import Authority
from tests.peers.program import free_ports


@contextmanager
def tls_server(authority: Authority, *names: str) -> Iterator[tuple[RedisServer, int]]:
    files, port = authority.issue(*names), free_ports(1)
    with redis_server(
        f"tls-port {port}",
        f"tls-cert-file {files.certificate}",
        f"tls-key-file {files.key}",
        f"tls-ca-cert-file {authority.path}",
        "tls-auth-clients no",
    ) as server:
        yield server, port


async def test_sessions_are_kept_over_tls_with_the_named_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with tls_server(authority, "localhost") as (server, port):
        settings = server.settings(url=f"rediss://localhost:{port}", ca=authority.path)
        stores = RedisStores.open(settings, EU, ManualClock())
        store = stores.of("clinic")
        await store.commit(await store.create(session(), "a"), sealed(1))
        assert await stores.problem() is None
        await stores.close()


async def test_a_server_of_another_name_or_authority_is_not_spoken_to(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    with tls_server(authority, "store.example.org") as (server, port):
        for ca in (authority.path, stranger.path, None):
            settings = server.settings(url=f"rediss://localhost:{port}", ca=ca)
            stores = RedisStores.open(settings, EU, ManualClock())
            with pytest.raises(StoreBroken, match="certificate is not valid"):
                await stores.of("clinic").create(session(), "a")
            assert await stores.problem()
            await stores.close()
        with server.admin() as admin:
            assert admin.info("commandstats")["cmdstat_auth"]["calls"] == 1, "our own login"


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with redis_server() as server:
        for body in (None, "", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"):
            if body is not None:
                path.write_text(body)
            settings = server.settings(url="rediss://localhost:6379", ca=path)
            with pytest.raises(StoreBroken, match=f"store.ca: {path}"):
                RedisStores.open(settings, EU, ManualClock())
