"""Challenges are answered with what both sides know best, and counted."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.digest import Authorization, Credentials, DigestClient
from edge.transport.sip.wire.digest.client import MAX_NONCES
from edge.transport.sip.wire.digest.hashing import ALGORITHMS, DigestInput, hexdigest
from edge.transport.sip.wire.headers import Headers

ALICE = Credentials("alice", "secret")


def challenged(*values: str, name: str = "WWW-Authenticate") -> Headers:
    return Headers((name, f"Digest {value}") for value in values)


def answered(headers: Headers, client: DigestClient | None = None, **more: bytes) -> Authorization:
    found = (client or DigestClient()).answer(headers, ALICE, "REGISTER", "sip:h", **more)
    assert found is not None
    return Authorization.parse(found[1])


def expected(given: Authorization, body: bytes = b"") -> str:
    return DigestInput(
        given.algorithm or "MD5",
        given.realm,
        given.nonce,
        "REGISTER",
        "sip:h",
        given.qop,
        given.count,
        given.cnonce,
        body,
    ).response("alice", "secret")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("WWW-Authenticate", "Authorization"),
        ("Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_user_agent_and_a_proxy_are_answered_each_in_its_own_header(
    name: str, answer: str
) -> None:
    headers = challenged('realm="r", nonce="n", qop="auth"', name=name)
    found = DigestClient().answer(headers, ALICE, "INVITE", "sip:h")
    assert found is not None
    assert found[0] == answer


def test_the_strongest_algorithm_is_taken_wherever_it_stands() -> None:
    offers = [f'realm="r", nonce="{name}", algorithm={name}' for name in ("MD5", *ALGORITHMS)]
    assert (
        answered(challenged('realm="r", nonce="x", algorithm=FOO', *offers)).nonce == ALGORITHMS[0]
    )


def test_auth_is_preferred_and_auth_int_is_answered_when_it_is_all_there_is() -> None:
    both = answered(challenged('realm="r", nonce="n", qop="auth-int, auth"'))
    assert (both.qop, both.response) == ("auth", expected(both))
    whole = answered(challenged('realm="r", nonce="n", qop="auth-int"'), body=b"v=0")
    assert (whole.qop, whole.response) == ("auth-int", expected(whole, b"v=0"))


def test_without_qop_the_answer_is_that_of_rfc_2069() -> None:
    text = DigestClient().answer(challenged('realm="r", nonce="n"'), ALICE, "REGISTER", "sip:h")
    assert text is not None
    assert "nc=" not in text[1] and "qop" not in text[1] and "cnonce" not in text[1]
    assert "algorithm" not in text[1]
    given = Authorization.parse(text[1])
    assert given.response == expected(given)


def test_a_session_algorithm_is_answered_with_its_cnonce() -> None:
    given = answered(challenged('realm="r", nonce="n", algorithm=MD5-sess'))
    assert given.cnonce
    assert given.response == expected(given)


def test_uses_of_a_nonce_are_counted_under_one_cnonce() -> None:
    client = DigestClient()
    first, second = (answered(challenged('realm="r", nonce="n", qop=auth'), client) for _ in "12")
    assert (first.count, second.count) == ("00000001", "00000002")
    assert first.cnonce == second.cnonce
    assert second.response == expected(second)
    other = answered(challenged('realm="r", nonce="m", qop=auth, stale=true'), client)
    assert (other.count, other.nonce) == ("00000001", "m")
    assert other.cnonce != first.cnonce


def test_nonces_are_forgotten_beyond_a_bound() -> None:
    client = DigestClient()
    for number in range(MAX_NONCES + 1):
        answered(challenged(f'realm="r", nonce="{number}", qop=auth'), client)
    last = answered(challenged(f'realm="r", nonce="{MAX_NONCES}", qop=auth'), client)
    first = answered(challenged('realm="r", nonce="0", qop=auth'), client)
    assert (last.count, first.count) == ("00000002", "00000001")


def test_credentials_of_a_realm_are_given_to_no_other() -> None:
    bound = Credentials("alice", "secret", "home")
    headers = challenged('realm="evil", nonce="n", algorithm=SHA-256')
    assert DigestClient().answer(headers, bound, "INVITE", "sip:h") is None
    headers.add("www-authenticate", 'Digest realm="home", nonce="m"')
    found = DigestClient().answer(headers, bound, "INVITE", "sip:h")
    assert found is not None
    assert Authorization.parse(found[1]).realm == "home"


@pytest.mark.parametrize(
    "value",
    ['Basic realm="r"', 'Digest realm="r', "Digest", 'Digest realm="r", nonce="n", qop="x"'],
)
def test_what_cannot_be_answered_is_not(value: str) -> None:
    headers = Headers([("www-authenticate", value)])
    assert DigestClient().answer(headers, ALICE, "INVITE", "sip:h") is None
    assert not DigestClient.can_answer(headers, ALICE)


def test_asking_whether_there_is_an_answer_uses_no_nonce() -> None:
    client = DigestClient()
    headers = challenged('realm="r", nonce="n", qop=auth')
    assert client.can_answer(headers, ALICE)
    assert answered(headers, client).count == "00000001"


def test_opaque_and_a_realm_with_quotes_go_back_as_they_came() -> None:
    given = answered(challenged('realm="a \\"b\\", c", nonce="n", opaque="x,y"'))
    assert (given.realm, given.opaque) == ('a "b", c', "x,y")
    assert given.response == expected(given)


def test_a_username_is_hashed_when_the_challenge_asks_for_it() -> None:
    given = answered(challenged('realm="r", nonce="n", algorithm=SHA-256, userhash=true'))
    assert given.username == hexdigest("SHA-256", b"alice:r")
    assert given.userhash
    assert given.response == expected(given)


def test_a_challenge_brings_no_line_into_our_request() -> None:
    headers = Headers()
    headers._items.append(("www-authenticate", 'Digest realm="r\r\nEvil: 1", nonce="n"'))
    found = DigestClient().answer(headers, ALICE, "INVITE", "sip:h")
    assert found is not None
    written = Headers([found])
    assert "\r" not in (written.get("authorization") or "")
