"""Logging in: passwords that change, and tokens that AWS would compute the same signature for."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from redis import AuthenticationError

from edge.session.errors import StoreBroken
from edge.session.redis_login import TOKEN_SECONDS, IamLogin, PasswordFileLogin, aws_session
from edge.session.redis_settings import RedisSettings
from edge.session.redis_stores import RedisStores
from tests.edge.session.entries import sealed, session
from tests.edge.session.parts import EU, ManualClock
from tests.edge.session.redis_server import RedisServer, redis_server

CACHE = "inland-eu-central-1"
# The key pair of AWS's documentation.
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


async def test_a_changed_password_counts_for_the_next_connection(server: RedisServer) -> None:
    stores = RedisStores.open(server.settings("clinic"), EU, ManualClock())
    store = stores.of("clinic")
    fence = await store.create(session(), "a")
    with server.admin() as admin:
        admin.acl_setuser("inland-clinic", enabled=True, passwords=["-clinic-password", "+another"])
    await server.disconnect("clinic")
    (server.folder / "clinic.password").write_text("another\n")
    assert await stores.problem() is None
    await store.commit(fence, sealed(1))
    await stores.close()


async def test_a_wrong_password_is_said_and_mended_by_a_right_one(server: RedisServer) -> None:
    stores = RedisStores.open(server.settings("clinic"), EU, ManualClock())
    path = server.folder / "clinic.password"
    for wrong in ("wrong", "", "ß" * 2):
        path.write_bytes(wrong.encode("latin-1"))
        with pytest.raises(StoreBroken, match="does not let this tenant's user in"):
            await stores.of("clinic").create(session(), "a")
        assert await stores.problem()
    path.unlink()
    assert await stores.problem()
    path.write_text("clinic-password")
    assert await stores.problem() is None
    await stores.of("clinic").create(session(), "a")
    await stores.close()


async def test_a_store_answers_as_long_as_one_of_its_users_is_let_in(server: RedisServer) -> None:
    settings = server.settings("bank", "clinic")
    (server.folder / "bank.password").write_text("wrong")
    stores = RedisStores.open(settings, EU, ManualClock())
    assert await stores.problem() is None
    await stores.close()


def test_a_password_is_never_in_an_error(server: RedisServer) -> None:
    path = server.folder / "x.password"
    path.write_bytes(b"\xff secret")
    with pytest.raises(AuthenticationError) as refused:
        PasswordFileLogin("inland-clinic", path).get_credentials()
    assert "secret" not in str(refused.value)


# --- IAM ------------------------------------------------------------------------------------------


class FakeSession:
    """Credentials as an instance's role gives them; None: there are none."""

    def __init__(self, token: str | None = "session-token", *, there: bool = True) -> None:
        from botocore.credentials import Credentials

        self._credentials = Credentials(KEY_ID, SECRET, token) if there else None

    def get_credentials(self) -> Any:
        return self._credentials


def hmac_sha256(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(host: str, query: dict[str, str], region: str) -> str:
    """By hand ("Create a signed AWS API request", AWS IAM User Guide, 2026-11-21)."""
    signed = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
    listed = sorted(
        (quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in signed.items()
    )
    canonical = "\n".join(
        [
            *("GET", "/", "&".join(f"{name}={text}" for name, text in listed)),
            *(f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()),
        ]
    )
    at = query["X-Amz-Date"]
    scope = f"{at[:8]}/{region}/elasticache/aws4_request"
    text = "\n".join(
        ["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac_sha256(key, part)
    return hmac_sha256(key, text).hex()


@pytest.mark.parametrize("session_token", ["session+token/==", None])
async def test_a_token_is_a_presigned_connect_without_its_scheme(
    session_token: str | None,
) -> None:
    login = IamLogin("inland-clinic", CACHE, EU, FakeSession(session_token))
    username, token = await login.get_credentials_async()
    assert username == "inland-clinic"
    assert token.startswith(f"{CACHE}/?Action=connect&User=inland-clinic&")
    parts = urlsplit(f"http://{token}")
    query = dict(parse_qsl(parts.query, strict_parsing=True))
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == str(TOKEN_SECONDS) == "900"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert query.get("X-Amz-Security-Token") == session_token
    at = dt.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    assert abs(dt.datetime.now(dt.UTC) - at) < dt.timedelta(minutes=1)
    assert query["X-Amz-Credential"] == f"{KEY_ID}/{at:%Y%m%d}/{EU}/elasticache/aws4_request"
    assert query["X-Amz-Signature"] == signature(CACHE, query, EU)
    assert SECRET not in token


def test_a_machine_without_a_role_says_so() -> None:
    with pytest.raises(AuthenticationError, match="no AWS credentials"):
        IamLogin("inland-clinic", CACHE, EU, FakeSession(there=False)).get_credentials()


def test_a_node_without_botocore_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StoreBroken, match=r"inland\[aws\]"):
        aws_session()


def test_with_a_cache_every_tenant_signs_for_its_own_user() -> None:
    settings = RedisSettings.model_validate(
        {
            "redis": "rediss://store.example.org:6379",
            "aws_cache": CACHE,
            "users": {"clinic": {"username": "inland-clinic"}, "bank": {"username": "inland-bank"}},
        }
    )
    stores = RedisStores.open(settings, EU, ManualClock())
    for tenant in ("clinic", "bank"):
        pool = stores._tenants.of(tenant)._client.connection_pool
        login = pool.connection_kwargs["credential_provider"]
        assert (login._username, login._cache, login._region) == (f"inland-{tenant}", CACHE, EU)
        assert pool.connection_kwargs["host"] == "store.example.org"
