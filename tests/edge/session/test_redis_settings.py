"""The section ``store``: what it takes, and what it says of mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edge.session.keys_settings import KeysSettings
from edge.session.redis_settings import RedisSettings

USERS = {"clinic": {"username": "inland-clinic", "password_file": "/run/inland/clinic"}}
IAM = {"clinic": {"username": "inland-clinic"}}


def store(**changes: Any) -> RedisSettings:
    return RedisSettings.model_validate(
        {"redis": "rediss://store.example.org", "users": USERS} | changes
    )


@pytest.mark.parametrize(
    ("url", "address", "tls"),
    [
        ("rediss://store.example.org", ("store.example.org", 6379), True),
        ("rediss://store.example.org:6380", ("store.example.org", 6380), True),
        ("redis://192.0.2.7:6379", ("192.0.2.7", 6379), False),
        ("rediss://[2001:db8::1]:6379", ("2001:db8::1", 6379), True),
    ],
)
def test_an_address_is_a_scheme_a_host_and_a_port(
    url: str, address: tuple[str, int], tls: bool
) -> None:
    settings = store(redis=url)
    (server,) = settings.servers
    assert (server.address, settings.tls, settings.socket) == (address, tls, None)


def test_a_unix_socket_is_a_path() -> None:
    settings = store(redis="unix:///run/redis/redis.sock")
    assert (settings.socket, settings.tls, settings.servers) == ("/run/redis/redis.sock", False, ())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store.example.org",
        "http://store.example.org",
        "rediss://user:password@store.example.org",
        "rediss://store.example.org:6379/1",
        "rediss://store.example.org?ssl_cert_reqs=none",
        "rediss://store.example.org:99999",
        "rediss://store.example.org:",
        "rediss://-a",
        "unix://run/redis.sock",
        "unix:///run/a b",
    ],
)
def test_an_address_with_anything_else_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(ValidationError, match="write rediss://HOST:PORT"):
        store(redis=url)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"users": {}}, "users"),
        ({"users": IAM}, "users.clinic: has no password_file: add it, or aws_cache"),
        ({"aws_cache": "inland"}, "password_file: with aws_cache there is none"),
        (
            {"aws_cache": "inland", "users": IAM, "redis": "redis://store.example.org"},
            "takes TLS: write rediss://",
        ),
        ({"redis": "redis://a", "ca": "/etc/ca.pem"}, "only rediss:// has a certificate"),
        ({"users": {"Clinic": USERS["clinic"]}}, "users"),
        ({"users": {"clinic": {"username": "a b", "password_file": "/x"}}}, "username"),
        ({"aws_cache": "Inland", "users": IAM}, "aws_cache"),
        ({"password": "x"}, "password"),
    ],
)
def test_what_does_not_fit_together_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        store(**changes)


def test_nodes_on_aws_log_in_without_a_password() -> None:
    assert store(aws_cache="inland-eu-central-1", users=IAM).aws_cache == "inland-eu-central-1"


WATCHED: dict[str, Any] = {
    "redis": None,
    "sentinels": ["rediss://s1.example.org", "rediss://s2.example.org:26380", "rediss://192.0.2.3"],
    "sentinel_user": {"username": "inland_node", "password_file": "/run/inland/node"},
    "master": "inland",
    "nodes": ["rediss://R1.example.org", "rediss://[2001:DB8:0::1]:6380"],
    "ca": "/etc/ca.pem",
}


def test_sentinels_and_the_servers_they_may_name_are_listed() -> None:
    settings = store(**WATCHED)
    assert [one.address for one in settings.watchers] == [
        ("s1.example.org", 26379),
        ("s2.example.org", 26380),
        ("192.0.2.3", 26379),
    ]
    assert [str(one) for one in settings.servers] == [
        "rediss://r1.example.org:6379",
        "rediss://[2001:db8::1]:6380",
    ]
    assert settings.tls


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redis": "rediss://a"}, "redis: name one server, or else sentinels"),
        ({"sentinels": []}, "redis: name one server, or else sentinels"),
        ({"master": None}, "master: what the sentinels call it is missing"),
        ({"master": "a b"}, "master"),
        ({"sentinels": WATCHED["sentinels"][:2]}, "sentinels: name at least 3"),
        ({"nodes": WATCHED["nodes"][:1]}, "nodes: name at least 2"),
        ({"nodes": ["rediss://a", "rediss://A:6379"]}, "nodes: one is named twice"),
        ({"nodes": ["rediss://a", "redis://b"]}, "nodes: write rediss:// for all of them"),
        ({"nodes": ["unix:///run/redis.sock", "rediss://b"]}, "write rediss://HOST:PORT"),
        ({"sentinels": ["rediss://u:p@a", "rediss://b", "rediss://c"]}, "write rediss://HOST:PORT"),
        ({"sentinel_user": {"username": "u"}}, "sentinel_user: has no password_file"),
        ({"aws_cache": "inland", "users": IAM}, "ElastiCache has no sentinels"),
    ],
)
def test_what_does_not_fit_sentinels_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        store(**WATCHED | changes)


@pytest.mark.parametrize("key", ["master", "nodes", "sentinel_user"])
def test_what_only_sentinels_have_is_refused_without_them(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}: only sentinels have one"):
        store(**{key: WATCHED[key]})


APART: dict[str, Any] = {
    "master": "inland-keys",
    "nodes": ["rediss://k1.example.org", "rediss://k2.example.org"],
}


def test_keys_may_have_a_master_of_their_own_at_the_same_sentinels() -> None:
    watched = store(**WATCHED)
    keys = KeysSettings.model_validate(APART)
    assert list(keys.misplaced(watched)) == []
    found = keys.server_of(watched)
    assert (found.master, found.sentinels) == ("inland-keys", watched.sentinels)
    assert [one.host for one in found.servers] == ["k1.example.org", "k2.example.org"]


def test_keys_may_be_on_one_server_while_sessions_have_sentinels() -> None:
    found = KeysSettings(redis="rediss://keys.example.org").server_of(store(**WATCHED))
    assert RedisSettings.model_validate(found.model_dump()) == found
    assert [one.host for one in found.servers] == ["keys.example.org"]


@pytest.mark.parametrize(
    ("keys", "sessions", "words"),
    [
        (APART, {}, "keys.master: takes store.sentinels"),
        (APART | {"redis": "rediss://k"}, WATCHED, "keys.redis: name one server, or else"),
        (APART | {"nodes": []}, WATCHED, "keys.nodes: the servers of keys.master"),
        (APART | {"master": None}, WATCHED, "keys.nodes: the servers of keys.master"),
        (APART | {"master": "inland"}, WATCHED, "is the one that has the sessions"),
        (APART | {"nodes": ["rediss://a"]}, WATCHED, "keys.nodes: name at least 2"),
        ({"folder": "/keys"}, WATCHED, "keys.folder: sessions are in Redis"),
    ],
)
def test_keys_that_fit_no_store_are_said_to(
    keys: dict[str, Any], sessions: dict[str, Any], words: str
) -> None:
    (said,) = KeysSettings.model_validate(keys).misplaced(store(**sessions))
    assert said.startswith(words) or words in said


def test_keys_of_sessions_in_a_file_are_in_a_folder() -> None:
    said = KeysSettings.model_validate(APART).misplaced(None)
    assert [each.split(":")[0] for each in said] == ["keys.master", "keys.nodes"]
