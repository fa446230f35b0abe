"""Challenges and their answers as text."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.digest import Authorization, Challenge, Credentials
from edge.transport.sip.wire.errors import MessageError


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Credentials("alice", "secret", "realm"))


def test_a_challenge_is_read() -> None:
    text = (
        'Digest realm="a, \\"b\\"=c" , nonce="n,1",opaque="", algorithm=SHA-256, '
        'qop="auth,auth-int", stale=TRUE, userhash="true", domain="sip:h"'
    )
    challenge = Challenge.parse(text)
    assert challenge == Challenge(
        'a, "b"=c', "n,1", "SHA-256", frozenset({"auth", "auth-int"}), "", True, True
    )
    assert Challenge.parse(str(challenge)) == challenge


def test_a_challenge_of_rfc_2069_has_no_qop() -> None:
    challenge = Challenge.parse('DIGEST realm="r", nonce="n"')
    assert challenge == Challenge("r", "n")
    assert challenge.strength > 0


def test_an_empty_qop_is_none() -> None:
    assert Challenge.parse('Digest realm="r", nonce="n", qop=""').qop is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "Digest", 'Basic realm="r"', 'Digest realm="r"', 'Digest nonce="n"'),
        *('Digest nonce="n', 'Digest realm="r", nonce=""', 'Digestrealm="r", nonce="n"'),
        "Digest " + "a=b," * 500,
    ],
)
def test_what_is_no_digest_challenge_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Challenge.parse(text)


@pytest.mark.parametrize("extra", ["algorithm=SHA-1", 'qop="token"', "algorithm=MD5-foo"])
def test_what_we_cannot_answer_has_no_strength(extra: str) -> None:
    assert Challenge.parse(f'Digest realm="r", nonce="n", {extra}').strength == 0


def test_an_authorization_is_read() -> None:
    given = Authorization(
        "al\\ice", "r", "n", "sip:h", "0f", "MD5", "auth", "00000001", 'c"', "o", True
    )
    assert Authorization.parse(str(given)) == given


def test_a_username_may_be_written_the_extended_way() -> None:
    text = (
        'Digest username*=UTF-8\'\'J%C3%A4s%C3%B8n%20Doe, realm="r", nonce="n", '
        'uri="sip:h", response="0"'
    )
    assert Authorization.parse(text).username == "Jäsøn Doe"


@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response"])
def test_an_authorization_needs_all_its_parameters(name: str) -> None:
    pieces = [
        f'{key}="x"' for key in ("username", "realm", "nonce", "uri", "response") if key != name
    ]
    with pytest.raises(MessageError):
        Authorization.parse("Digest " + ", ".join(pieces))


@pytest.mark.parametrize("value", ["x", "latin-1''x", "UTF-8'x", ""])
def test_an_extended_username_of_another_kind_is_refused(value: str) -> None:
    with pytest.raises(MessageError):
        Authorization.parse(
            f'Digest username*={value}, realm="r", nonce="n", uri="u", response="0"'
        )
