"""The RFCs' own examples."""

from __future__ import annotations

import hashlib

import pytest

from edge.transport.sip.wire.digest.hashing import ALGORITHMS, DigestInput, base_of, hexdigest


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    parts = DigestInput(
        algorithm,
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "GET",
        "/dir/index.html",
        "auth",
        "00000001",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert parts.response("Mufasa", "Circle of Life") == response


@pytest.mark.skipif("SHA-512-256" not in ALGORITHMS, reason="this OpenSSL has no SHA-512/256")
def test_rfc_7616_section_3_9_2_as_corrected_by_erratum_4897() -> None:
    parts = DigestInput(
        "SHA-512-256",
        "api@example.org",
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "GET",
        "/doe.json",
        "auth",
        "00000001",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    )
    assert parts.response("Jäsøn Doe", "Secret, or not?") == (
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    )
    assert hexdigest("SHA-512-256", "Jäsøn Doe:api@example.org".encode()) == (
        "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    )


def test_rfc_2617_section_3_5() -> None:
    parts = DigestInput(
        "MD5",
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "GET",
        "/dir/index.html",
        "auth",
        "00000001",
        "0a4f113b",
    )
    assert parts.response("Mufasa", "Circle Of Life") == "6629fae49393a05397450978507c4ef1"


def test_rfc_2069_section_2_4_as_corrected_by_its_errata() -> None:
    parts = DigestInput(
        "MD5",
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "GET",
        "/dir/index.html",
    )
    assert parts.response("Mufasa", "CircleOfLife") == "1949323746fe6a43ef61f9606e7febea"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_a_session_key_covers_the_nonces_and_auth_int_the_body() -> None:
    parts = DigestInput(
        "MD5-sess", "r", "n", "INVITE", "sip:h", "auth-int", "00000001", "c", b"v=0"
    )
    key = md5(f"{md5('u:r:p')}:n:c")
    what = md5(f"INVITE:sip:h:{md5('v=0')}")
    assert parts.response("u", "p") == md5(f"{key}:n:00000001:c:auth-int:{what}")


def test_the_strongest_algorithm_comes_first() -> None:
    assert ALGORITHMS[-2:] == ("SHA-256", "MD5")
    assert base_of("sha-256-SESS") == "SHA-256"
