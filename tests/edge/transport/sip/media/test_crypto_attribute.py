"""Keys in the description (RFC 4568): what is taken and what is left for the next line."""

from __future__ import annotations

import base64

import pytest

from edge.transport.sip.media.crypto_attribute import KEY_LENGTHS, CryptoLine, new_key, parse_crypto

KEY = base64.b64encode(bytes(range(30))).decode()
SUITE = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize("suite", KEY_LENGTHS)
def test_a_line_comes_back_as_it_was_written(suite: str) -> None:
    line = CryptoLine(3, suite, new_key(suite))
    assert parse_crypto(str(line)) == line


@pytest.mark.parametrize("suite", KEY_LENGTHS)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_key_of_the_wrong_length_is_left(suite: str, change: int) -> None:
    assert parse_crypto(str(CryptoLine(1, suite, b"k" * (KEY_LENGTHS[suite] + change)))) is None


@pytest.mark.parametrize("rest", ["", "|2^31", "|2^48", "|2147483648", " -X=1", " WSH=64"])
def test_a_lifetime_and_what_may_be_ignored_do_no_harm(rest: str) -> None:
    assert parse_crypto(f"1 {SUITE} inline:{KEY}{rest}") == CryptoLine(1, SUITE, bytes(range(30)))


def test_case_and_missing_padding_are_forgiven() -> None:
    key = new_key("AEAD_AES_128_GCM")
    encoded = base64.b64encode(key).decode().rstrip("=")
    assert parse_crypto(f"1  aead_aes_128_gcm   INLINE:{encoded}") == CryptoLine(
        1, "AEAD_AES_128_GCM", key
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"1 {SUITE}",
        f"x {SUITE} inline:{KEY}",
        f"1000000000 {SUITE} inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 {SUITE} uri:{KEY}",
        f"1 {SUITE} inline:",
        f"1 {SUITE} inline:*{KEY[1:]}",
        f"1 {SUITE} inline:\u00e4{KEY[1:]}",
        f"1 {SUITE} inline:{KEY}|1:4",
        f"1 {SUITE} inline:{KEY}|2^31|1:4",
        f"1 {SUITE} inline:{KEY}|2^10",
        f"1 {SUITE} inline:{KEY}|2^999999999",
        f"1 {SUITE} inline:{KEY}|1000",
        f"1 {SUITE} inline:{KEY};inline:{KEY}",
        f"1 {SUITE} inline:{KEY} KDR=1",
        f"1 {SUITE} inline:{KEY} UNENCRYPTED_SRTP",
        f"1 {SUITE} inline:{KEY} FEC_ORDER=FEC_SRTP",
        f"1 {SUITE} inline:{KEY} {'-' * 600}",
    ],
)
def test_a_line_that_asks_for_more_than_we_do_is_left(text: str) -> None:
    assert parse_crypto(text) is None
