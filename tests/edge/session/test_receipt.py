"""Receipts: what was signed is what is read, and nothing can be left out of a session's."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import MAX_LINES, Ledger, Place, carrier
from edge.session.errors import ReceiptRefused
from edge.session.receipt import (
    CarriedFrom,
    Receipt,
    ReceiptKey,
    check_chain,
    digest_of,
    lines_of,
    public_jwk,
    read_receipt,
)
from edge.session.records import MAX_RECEIPT
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
        "leg": 1,
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


def chain(*legs: int) -> list[str]:
    """The receipts of a session's legs, in the order that they were signed."""
    signed: list[str] = []
    for leg in legs:
        previous = digest_of(signed[-1]) if signed else None
        signed.append(KEY.sign(receipt(previous, call_id=f"c{len(signed)}", leg=leg)))
    return signed


def test_only_a_call_that_was_carried_says_so() -> None:
    """A reader of an older version refuses keys that it does not know."""
    carried = CarriedFrom(region="eu-west-1", turn=7, sealed=1.0)
    plain, told = KEY.sign(receipt()), KEY.sign(receipt(carried=carried))
    assert "carried" not in jwt.decode(plain, options={"verify_signature": False})
    assert read_receipt(plain, KEYS).carried is None
    assert read_receipt(told, KEYS).carried == carried


def test_a_whole_session_is_a_chain() -> None:
    found = check_chain(chain(1, 2, 3), KEYS)
    assert [one.call_id for one in found.receipts] == ["c0", "c1", "c2"]
    assert (found.missing, found.twice) == ((), ())


@pytest.mark.parametrize(
    ("legs", "missing", "twice"),
    [
        ((1, 3), (2,), ()),
        ((2,), (1,), ()),
        ((1, 4, 6), (2, 3, 5), ()),
        ((2, 1), (), ()),
        ((1, 2, 2), (), (2,)),
        ((), (), ()),
    ],
)
def test_a_leg_without_a_receipt_is_named_and_breaks_nothing(
    legs: tuple[int, ...], missing: tuple[int, ...], twice: tuple[int, ...]
) -> None:
    """A node that died signs nothing; a partitioned one signs after its successor."""
    found = check_chain(chain(*legs), KEYS)
    assert (found.missing, found.twice) == (missing, twice)


def test_the_number_of_a_leg_cannot_be_changed_to_close_a_gap() -> None:
    first, third = chain(1, 3)
    header, payload, signature = third.split(".")
    body = json.loads(jwt.utils.base64url_decode(payload)) | {"leg": 2}
    forged = jwt.utils.base64url_encode(json.dumps(body).encode()).decode()
    with pytest.raises(ReceiptRefused, match="receipt 2: the signature"):
        check_chain([first, f"{header}.{forged}.{signature}"], KEYS)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_receipt_that_is_left_out_shows(missing: int) -> None:
    signed = chain(1, 2, 3)
    del signed[missing]
    with pytest.raises(ReceiptRefused, match=f"receipt {missing + 1}: does not follow"):
        check_chain(signed, KEYS)


def test_receipts_in_another_order_show() -> None:
    first, second, third = chain(1, 2, 3)
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


SIZES = st.lists(
    st.tuples(
        st.sampled_from([HOST, ABROAD]),
        st.sampled_from([DataClass.AUDIO, DataClass.TRANSCRIPT]),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.floats(0, 100, allow_nan=False),
    ),
    max_size=30,
)


@given(SIZES)
def test_whatever_happens_in_which_order_every_byte_is_in_one_line(
    touches: list[tuple[Place, DataClass, int, int, float]],
) -> None:
    clock = FakeClock()
    found = Ledger(clock)
    times: dict[tuple[str, DataClass], list[float]] = {}
    for place, data_class, sent, received, pause in touches:
        clock.advance(pause)
        found.touch(place, data_class, Operation.PROCESS, sent=sent, received=received)
        times.setdefault((place.name, data_class), []).append(clock.wall())
    lines, _ = lines_of(found)
    assert sum(line.sent for line in lines) == sum(touch[2] for touch in touches)
    assert sum(line.received for line in lines) == sum(touch[3] for touch in touches)
    assert {(line.name, line.data_class) for line in lines} == set(times)
    for line in lines:
        seen = times[line.name, line.data_class]
        assert (line.first, line.last) == (seen[0], seen[-1])


@given(st.lists(st.integers(0, 200), max_size=200))
def test_a_bounded_ledger_counts_what_it_left_out(names: list[int]) -> None:
    found = Ledger(FakeClock())
    for name in names:
        found.refuse(Place("tool", f"t{name}", "x"), DataClass.AUDIO, "no")
    kept = sum(attempt.count for attempt in found.attempts)
    assert kept + found.overflow == len(names)
    assert len(found.attempts) == min(len(set(names)), MAX_LINES)


def test_a_ledger_full_of_the_longest_words_fits_into_a_record() -> None:
    found = Ledger(FakeClock())
    for number in range(MAX_LINES):
        place = Place("tool", f"{number}" + "n" * 400, "r" * 400, "https://" + "e" * 400)
        found.refuse(place, DataClass.AUDIO, "no" * 400)
    signed = KEY.sign(receipt(ledger=found))
    assert len(signed) <= MAX_RECEIPT
    assert len(read_receipt(signed, KEYS).refused) == MAX_LINES


def test_a_carrier_is_nobodys_choice_of_region_with_or_without_its_trunks_name() -> None:
    for trunk, endpoint in (("carrier-a", "trunk:carrier-a"), ("", "")):
        book = ledger()
        book.touch(carrier("sip", trunk), DataClass.AUDIO, Operation.PROCESS, sent=1)
        found = read_receipt(KEY.sign(receipt(ledger=book)), KEYS)
        assert (found.lines[-1].name, found.lines[-1].region) == ("sip", "")
        assert found.lines[-1].endpoint == endpoint
        assert found.outside == ()
