"""The section ``store``: what it takes, and what it says of mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

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
    assert (settings.address, settings.tls, settings.socket) == (address, tls, None)


def test_a_unix_socket_is_a_path() -> None:
    settings = store(redis="unix:///run/redis/redis.sock")
    assert (settings.socket, settings.tls) == ("/run/redis/redis.sock", False)


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
