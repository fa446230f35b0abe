"""Whatever a control plane sends, a node keeps the keys it has, and learns new ones soon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from control_plane.contract import JWKS_PATH
from edge.admission import verify_route_token
from edge.jwks import (
    MAX_BYTES,
    MAX_KEYS,
    UNKNOWN_SECONDS,
    KeyCache,
    KeysUnreadable,
    read_keys,
)
from edge.problem import EdgeRefusal
from edge.tenancy import Tenancy
from tests.edge.test_admission import LAW, NOW, OneKey
from tests.fakes.clock import FakeClock

HANG_SECONDS = 60.0


def listed(key: OneKey, kid: str) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name("EdDSA")
    return {**algorithm.to_jwk(key.private.public_key(), as_dict=True), "kid": kid}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Replica:
    """A control plane's key document, and how often it was asked for."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.body = body
        self.status = status
        self.asked = 0
        self.changed = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.changed.set()
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        for start in range(0, len(self.body), 50):  # in pieces, as a network may
            await response.write(self.body[start : start + 50])
            await asyncio.sleep(0)
        return response

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            while self.asked < times:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def caching(*replicas: Replica) -> AsyncIterator[KeyCache]:
    servers = []
    for replica in replicas:
        app = web.Application()
        app.router.add_get(JWKS_PATH, replica.serve)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
    cache = KeyCache([str(server.make_url("")) for server in servers], FakeClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        yield cache
        assert not task.done(), "the refresh ended"
        task.cancel()
    for server in servers:
        await server.close()


async def known(cache: KeyCache, kid: str) -> jwt.PyJWK:
    """Asks as often as callers may, until the key is there."""
    async with asyncio.timeout(HANG_SECONDS):
        while (key := cache.get(kid)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return key


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.jwks.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("edge.jwks.UNKNOWN_SECONDS", 0.0)


ODD = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "no list": b'{"keys": 7}',
    "no objects": b'{"keys": [null, 7, [], "x", {}]}',
    "empty": b'{"keys": []}',
    "half": key_set({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k1"})[:-9],
    "half a key": key_set({"kty": "OKP", "crv": "Ed25519", "kid": "k1"}),
    "short key": key_set({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "AAAA"}),
    "odd members": key_set({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": 7}),
    "odd id": key_set({"kty": "OKP", "crv": "Ed25519", "kid": 7, "x": "AAAA"}),
    "deep": b"[" * 60_000,
    "huge": key_set(listed(OneKey(), "k9")) + b" " * MAX_BYTES,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_answer_neither_ends_the_refresh_nor_costs_a_key(name: str, hasty: None) -> None:
    key = OneKey()
    replica = Replica(key_set(listed(key, "k1")))
    async with caching(replica) as cache:
        await known(cache, "k1")
        replica.body = ODD[name]
        cache.get("unknown")
        await replica.until_asked(replica.asked + 1)
        cache.get("unknown")
        await replica.until_asked(replica.asked + 1)  # so the odd answer has been dealt with
        assert cache.get("k1") is not None


@pytest.mark.parametrize("name", ODD)
async def test_node_that_started_with_an_odd_answer_still_learns_keys(
    name: str, hasty: None
) -> None:
    replica = Replica(ODD[name])
    async with caching(replica) as cache:
        await replica.until_asked(2)
        assert not cache.loaded.is_set()
        replica.body = key_set(listed(OneKey(), "k1"))
        await known(cache, "k1")
        assert cache.loaded.is_set()


async def test_token_with_a_new_key_is_accepted_after_the_refresh(hasty: None) -> None:
    old, new = OneKey(), OneKey()
    replica = Replica(key_set(listed(old, "k1")))

    def verify() -> str:
        return verify_route_token(
            new.sign(kid="k2"),
            keys=cache,
            now=NOW,
            region="eu-central-1",
            law=LAW,
            tenancy=Tenancy(),
        ).session_id

    async with caching(replica) as cache:
        await known(cache, "k1")
        replica.body = key_set(listed(old, "k1"), listed(new, "k2"))
        with pytest.raises(EdgeRefusal):
            verify()
        async with asyncio.timeout(HANG_SECONDS):
            while "k2" not in cache._keys:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # nobody asks again: that one refusal was enough
        assert verify() == "s_" + "a" * 22


async def test_keys_of_a_replica_that_is_away_stay(hasty: None) -> None:
    one, other = OneKey(), OneKey()
    first, second = Replica(key_set(listed(one, "k1"))), Replica(key_set(listed(other, "k2")))
    async with caching(first, second) as cache:
        await known(cache, "k1")
        await known(cache, "k2")
        second.status = 503
        first.body = key_set(listed(one, "k3"))
        await known(cache, "k3")
        assert cache.get("k2") is not None
        assert cache.get("k1") is None, "a key that its replica withdrew"


async def test_unknown_key_asks_for_a_refresh_at_most_every_five_seconds() -> None:
    clock = FakeClock()
    cache = KeyCache([], clock)
    cache._refreshed = clock.monotonic()
    assert cache.seconds_to_wait(clock.monotonic()) == UNKNOWN_SECONDS == 5.0
    clock.advance(4.0)
    assert cache.seconds_to_wait(clock.monotonic()) == 1.0
    clock.advance(100.0)
    assert cache.seconds_to_wait(clock.monotonic()) == 0.0


def test_only_so_many_keys_and_only_of_the_kind_that_signs_are_kept() -> None:
    key = OneKey()
    rsa = {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}
    found = read_keys(key_set(rsa, *(listed(key, f"k{number}") for number in range(MAX_KEYS + 5))))
    assert list(found) == [f"k{number}" for number in range(MAX_KEYS)]
    with pytest.raises(KeysUnreadable):
        read_keys(key_set(rsa))
