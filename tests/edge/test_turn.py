"""Credentials for relays: who gets them, what they say, and what they do not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.api import CALLS, OFFERS_BURST
from edge.check import node_problems
from edge.settings import NodeSettings
from edge.turn import Relays, TurnSecretError, TurnSettings, password, read_turn_secret
from tests.edge.test_admission import NOW
from tests.edge.test_api import MINE, SESSION, Node, problem, serving
from tests.fakes.clock import FakeClock

SECRET = "s3cret-s3cret-s3cret"
URLS = ("turn:turn.example.org:3478", "turns:turn.example.org:5349?transport=tcp")
LINK = re.compile(
    r'<([^>]+)>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"; '
    r'credential-type="password"'
)


def settings(**changes: Any) -> TurnSettings:
    return TurnSettings(**{"urls": URLS, "secret_file": Path("turn-secret"), **changes})


def read(links: Any) -> list[tuple[str, str, str]]:
    """URL, user name and password of each ``Link``."""
    found = [LINK.fullmatch(link) for link in links]
    assert all(found), links
    return [(one[1], one[2], one[3]) for one in found if one is not None]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A node with relays."""
    async with serving(tmp_path, 1) as node:
        node.gate.relays = Relays(settings(), SECRET, node.clock)
        yield node


async def asked(node: Node, token: str | None, path: str = CALLS) -> Any:
    headers = {"Origin": "https://example.org"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await node.client.options(path, headers=headers)


def test_the_password_is_the_user_name_signed_with_the_relays_secret() -> None:
    ((_, username, credential), _) = read(
        Relays(settings(), SECRET, FakeClock(wall=NOW)).links("s_1")
    )
    expected = hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(credential) == expected


def test_the_password_is_what_openssl_makes_of_it() -> None:
    """``printf %s 1433895918:me | openssl dgst -sha1 -hmac north -binary | base64``."""
    assert password(b"north", "1433895918:me") == "Avs0siN6iVJAegZADQQ4cYT7/7Q="


def test_credentials_end_after_their_time() -> None:
    relays = Relays(settings(ttl_seconds=90), SECRET, FakeClock(wall=NOW + 0.9))
    ((_, username, _), _) = read(relays.links("s_1"))
    assert username.partition(":")[0] == str(NOW + 90)


def test_a_user_name_tells_nothing_of_the_session_and_is_one_caller_s() -> None:
    def name(relays: Relays, session: str) -> str:
        return read(relays.links(session))[0][1].partition(":")[2]

    clock = FakeClock(wall=NOW)
    relays, restarted = (Relays(settings(), SECRET, clock) for _ in range(2))
    first = name(relays, SESSION)
    clock.advance(5)
    assert name(relays, SESSION) == first, "a relay counts what one name has open"
    assert name(relays, "s_other") != first
    assert name(restarted, SESSION) != first, "nobody can work it out from the session's id"
    assert re.fullmatch(r"[0-9a-f]{24}", first)


async def test_an_answer_names_every_relay(node: Node) -> None:
    response = await node.post()
    assert response.status == 201
    assert [url for url, _, _ in read(response.headers.getall("Link"))] == list(URLS)
    assert "Link" in response.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", [CALLS, "/whip"])
async def test_whoever_may_call_is_told_the_relays_beforehand(node: Node, path: str) -> None:
    for token in (node.key.sign(), node.resume_token()):
        response = await asked(node, token, path)
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert len(read(response.headers.getall("Link"))) == len(URLS)


async def test_asking_leaves_the_token_as_it_is_and_reaches_no_worker(node: Node) -> None:
    token = node.key.sign()
    assert (await asked(node, token)).status == 204
    assert node.worker.orders == []
    assert (await node.post(Authorization=f"Bearer {token}")).status == 201


async def test_a_stranger_s_preflight_is_as_ever_and_names_no_relay(node: Node) -> None:
    response = await asked(node, None)
    assert (response.status, "Link" in response.headers) == (204, False)
    below = await asked(node, node.key.sign(), f"{CALLS}/{MINE}")
    assert (below.status, "Link" in below.headers) == (204, False)


async def test_a_token_is_checked_as_for_a_call(node: Node) -> None:
    stale = node.key.sign(iat=NOW - 100, nbf=NOW - 100, exp=NOW - 50)
    for token, code in (("junk", "bad_token"), (stale, "token_expired")):
        response = await asked(node, token)
        assert "Link" not in response.headers
        assert await problem(response) == (401, code)


async def test_questions_are_limited_as_offers_are_and_take_none_of_them(node: Node) -> None:
    token = node.resume_token()
    assert [(await asked(node, token)).status for _ in range(OFFERS_BURST)] == [204] * OFFERS_BURST
    assert await problem(await asked(node, token)) == (429, "rate_limited")
    assert (await node.resume(token)).status == 201
    node.clock.advance(1.0)
    assert (await asked(node, token)).status == 204


async def test_a_node_without_relays_names_none(tmp_path: Path) -> None:
    async with serving(tmp_path, 1) as node:
        assert "Link" not in (await asked(node, node.key.sign())).headers
        assert "Link" not in (await node.post()).headers


@pytest.mark.parametrize(
    "url",
    [
        "turn:turn.example.org",
        "turn:192.0.2.1:3478?transport=udp",
        "turn:[2001:db8::1]:3478",
        "turns:turn.example.org:5349",
    ],
)
def test_addresses_of_relays_as_browsers_take_them(url: str) -> None:
    assert settings(urls=(url,)).urls == (url,)


@pytest.mark.parametrize(
    "url",
    [
        "stun:turn.example.org:3478",
        "turn://turn.example.org:3478",
        "turn:me@turn.example.org",
        "turn:turn.example.org:0",
        "turn:turn.example.org:70000",
        "turn:turn.example.org?transport=sctp",
        "turns:turn.example.org:5349?transport=udp",
        'turn:turn.example.org>; rel="next',
        "turn:turn.example.org\n",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(urls=(url,))


@pytest.mark.parametrize("value", [b"", b"too-short", b"has a space in its middle", b"\xff" * 20])
def test_a_secret_that_a_relay_would_read_otherwise_is_refused_unquoted(
    tmp_path: Path, value: bytes
) -> None:
    path = tmp_path / "turn-secret"
    path.write_bytes(value)
    with pytest.raises(TurnSecretError) as refused:
        read_turn_secret(path)
    assert not value or value.decode("latin-1") not in str(refused.value)


def test_the_check_says_that_the_secret_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "turn-secret"
    node = NodeSettings(
        node="a",
        region="eu-central-1",
        data=tmp_path,
        agents=tmp_path,
        control_planes=("http://127.0.0.1:1",),
        turn=settings(secret_file=path),
    )
    now = datetime.fromtimestamp(NOW, UTC)
    assert node_problems(node, now) == (f"turn.secret_file: {path}: No such file or directory",)
    path.write_text(SECRET + "\n")
    assert node_problems(node, now) == ()
    assert read_turn_secret(path) == SECRET
