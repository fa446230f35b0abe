"""Receipts: what was signed is what is read, and nothing can be left out of a session's."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.ledger import MAX_LINES, Ledger, Place
from edge.session.errors import ReceiptRefused
from edge.session.receipt import (
    Receipt,
    ReceiptKey,
    check_chain,
    digest_of,
    lines_of,
    public_jwk,
    read_receipt,
)
from regions.models import DataClass, Operation
from tests.fakes.clock import FakeClock

KEY = ReceiptKey(b"k" * 32)
OTHER = ReceiptKey(b"o" * 32)
KEYS = {KEY.key_id: KEY.public}
HOST = Place("host", "eu-central-1-a", "eu-central-1")
ABROAD = Place("tool", "booking", "us-east-1", "https://booking.example.org")


def ledger() -> Ledger:
    found = Ledger(FakeClock())
    found.touch(HOST, DataClass.AUDIO, Operation.PROCESS, received=100)
    return found


def receipt(previous: str | None = None, **changes: Any) -> Receipt:
    lines, refused = lines_of(changes.pop("ledger", ledger()))
    values: dict[str, Any] = {
        "call_id": "c1",
        "session_id": "s_1",
        "tenant": "clinic",
        "agent": "reception",
        "region": "eu-central-1",
        "node": "eu-central-1-a",
        "jurisdictions": ("eea",),
        "policy": "2026-11-21.1#0123456789ab",
        "allowed": {DataClass.AUDIO: ("eu-central-1", "eu-west-1")},
        "began": 1.0,
        "ended": 2.0,
        "lines": lines,
        "refused": refused,
        "left_out": 0,
        "previous": previous,
    }
    return Receipt(**(values | changes))


def test_what_was_signed_is_read_again() -> None:
    assert read_receipt(KEY.sign(receipt()), KEYS) == receipt()


def test_one_changed_byte_is_refused() -> None:
    header, payload, signature = KEY.sign(receipt()).split(".")
    body = json.loads(jwt.utils.base64url_decode(payload))
    body["region"] = "us-east-1"
    forged = jwt.utils.base64url_encode(json.dumps(body).encode()).decode()
    with pytest.raises(ReceiptRefused, match="signature"):
        read_receipt(f"{header}.{forged}.{signature}", KEYS)


def test_a_key_that_was_not_given_proves_nothing() -> None:
    with pytest.raises(ReceiptRefused, match="among the given"):
        read_receipt(OTHER.sign(receipt()), KEYS)


def test_a_key_s_id_cannot_be_borrowed() -> None:
    signed = jwt.api_jws.encode(
        receipt().model_dump_json().encode(),
        OTHER._key,
        algorithm="EdDSA",
        headers={"kid": KEY.key_id, "typ": "inland-receipt+jws"},
    )
    with pytest.raises(ReceiptRefused, match="signature"):
        read_receipt(signed, KEYS)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_other_algorithms_are_refused(algorithm: str) -> None:
    secret: Any = None if algorithm == "none" else "a shared secret of 32 bytes, or more"
    headers = {"kid": KEY.key_id, "typ": "inland-receipt+jws"}
    body = receipt().model_dump_json().encode()
    signed = jwt.api_jws.encode(body, secret, algorithm=algorithm, headers=headers)
    with pytest.raises(ReceiptRefused):
        read_receipt(signed, KEYS)


def test_a_route_token_is_no_receipt() -> None:
    signed = jwt.api_jws.encode(b"{}", KEY._key, algorithm="EdDSA", headers={"kid": KEY.key_id})
    with pytest.raises(ReceiptRefused, match="another type"):
        read_receipt(signed, KEYS)


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "x" * 300_000])
def test_what_is_no_jws_is_refused_in_words(text: str) -> None:
    with pytest.raises(ReceiptRefused):
        read_receipt(text, KEYS)


def chain(count: int) -> list[str]:
    signed: list[str] = []
    for number in range(count):
        previous = digest_of(signed[-1]) if signed else None
        signed.append(KEY.sign(receipt(previous, call_id=f"c{number}")))
    return signed


def test_a_whole_session_is_a_chain() -> None:
    assert [one.call_id for one in check_chain(chain(3), KEYS)] == ["c0", "c1", "c2"]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_receipt_that_is_left_out_shows(missing: int) -> None:
    signed = chain(3)
    del signed[missing]
    with pytest.raises(ReceiptRefused, match=f"receipt {missing + 1}: does not follow"):
        check_chain(signed, KEYS)


def test_receipts_in_another_order_show() -> None:
    first, second, third = chain(3)
    with pytest.raises(ReceiptRefused, match="receipt 2"):
        check_chain([first, third, second], KEYS)


def test_another_session_s_receipt_is_no_link() -> None:
    (first,) = chain(1)
    other = KEY.sign(receipt(digest_of(first), session_id="s_2"))
    with pytest.raises(ReceiptRefused, match="another session's"):
        check_chain([first, other], KEYS)


def test_a_place_outside_the_allowed_set_is_shown_and_the_caller_s_line_is_not() -> None:
    found = ledger()
    found.touch(ABROAD, DataClass.AUDIO, Operation.PROCESS, sent=1)
    found.touch(Place("caller", "webrtc", ""), DataClass.AUDIO, Operation.PROCESS, sent=1)
    assert [line.name for line in receipt(ledger=found).outside] == ["booking"]


def test_a_class_that_no_region_may_process_has_every_place_outside() -> None:
    found = Ledger(FakeClock())
    found.touch(HOST, DataClass.TRANSCRIPT, Operation.PROCESS)
    assert len(receipt(ledger=found).outside) == 1


def test_a_refused_attempt_is_counted_with_its_rule() -> None:
    found = ledger()
    for _ in range(3):
        found.refuse(ABROAD, DataClass.TRANSCRIPT, "may not be processed in us-east-1")
    (line,) = receipt(ledger=found).refused
    assert (line.name, line.count, line.reason) == (
        "booking",
        3,
        "may not be processed in us-east-1",
    )


def test_sizes_and_times_of_one_place_add_up() -> None:
    clock = FakeClock()
    found = Ledger(clock)
    found.touch(HOST, DataClass.AUDIO, Operation.PROCESS, received=10)
    clock.advance(5)
    found.touch(HOST, DataClass.AUDIO, Operation.PROCESS, received=10, sent=4)
    (entry,) = found.entries
    assert (entry.received, entry.sent, entry.last - entry.first) == (20, 4, 5)


def test_a_ledger_is_bounded_and_says_that_it_left_something_out() -> None:
    found = Ledger(FakeClock())
    for number in range(MAX_LINES + 5):
        found.touch(Place("tool", f"t{number}", "x"), DataClass.AUDIO, Operation.PROCESS)
    assert (len(found.entries), found.overflow) == (MAX_LINES, 5)


def test_the_public_key_is_a_jwk_that_verifies() -> None:
    key = jwt.PyJWK(public_jwk(KEY.public)).key
    assert isinstance(key, Ed25519PublicKey)
    assert read_receipt(KEY.sign(receipt()), {KEY.key_id: key}) == receipt()
