"""What is written on a call, and which number in which country that is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.phone.numbers import country_of, country_of_caller, is_e164, read_numbers


@pytest.mark.parametrize(
    "text", ["+496912345678", "0049 69 12345678", "069/123 456-78", "(069) 12345678"]
)
def test_a_german_number_is_read_however_a_german_trunk_writes_it(text: str) -> None:
    assert read_numbers(text, "DE")[0] == "+496912345678"


def test_digits_are_read_as_dialled_in_the_trunk_s_country_first_and_as_e164_next() -> None:
    assert read_numbers("4917012345678", "DE") == ("+494917012345678", "+4917012345678")
    assert read_numbers("4917012345678", None) == ("+4917012345678",)


@pytest.mark.parametrize(
    "text",
    ["", "+", "clinic", "+49", "+0691234567", "+4969123456789012", "+49a", "069", "9" * 65, "٠٦٩١"],
)
def test_what_is_no_number_is_read_as_none(text: str) -> None:
    assert read_numbers(text, None) == ()


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+496912345678", "DE"),
        ("+971501234567", "AE"),
        ("+919876543210", "IN"),
        ("+12025550123", "US"),
        ("+441534123456", "JE"),
        ("+498001234567", "DE"),
        ("+18005551234", None),
        ("+78001234567", None),
        ("+80012345678", None),
        ("+99912345678", None),
        ("nonsense", None),
    ],
)
def test_a_number_tells_its_country_unless_several_share_it(
    number: str, country: str | None
) -> None:
    assert country_of(number) == country


def test_a_caller_s_number_that_no_plan_has_tells_nothing() -> None:
    assert country_of_caller("+496912345678", None) == "DE"
    assert country_of_caller("+491", None) is None
    assert country_of_caller("+12", None) is None
    assert country_of_caller("069 12345678", "DE") == "DE"
    assert country_of_caller("anonymous", "DE") is None


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=80), st.sampled_from([None, "DE", "US", "IN", "XX"]))
def test_whatever_is_written_every_reading_is_e164(text: str, national: str | None) -> None:
    for number in read_numbers(text, national):
        assert is_e164(number)
        country = country_of(number)
        assert country is None or len(country) == 2
    country_of_caller(text, national)
