from __future__ import annotations

import pytest

from control_plane.location import Location, country_of_header, locate, locate_phone
from control_plane.tenants import Agent
from tests.control_plane.helpers import CATALOGUE

ANY = Agent()


def test_the_order_is_declaration_request_header_default() -> None:
    fixed = Agent(country="AE")
    decided = [
        locate(CATALOGUE, fixed, requested="DE", header="IN", default="IE"),
        locate(CATALOGUE, ANY, requested="DE", header="IN", default="AE"),
        locate(CATALOGUE, ANY, requested=None, header="IN", default="AE"),
        locate(CATALOGUE, ANY, requested=None, header=None, default="AE"),
    ]
    assert [found and (found.source, found.jurisdictions) for found in decided] == [
        ("declared", ("ae",)),
        ("request", ("eea",)),
        ("header", ("in",)),
        ("tenant_default", ("ae",)),
    ]


def test_nothing_known_is_no_location() -> None:
    assert locate(CATALOGUE, ANY, requested=None, header=None, default=None) is None


def test_a_country_under_no_law_binds_to_nothing_and_does_not_fall_through() -> None:
    found = locate(CATALOGUE, ANY, requested="CH", header="DE", default="DE")
    assert found == Location("request", "CH", (), "CH")


def test_declared_jurisdictions_add_to_the_declared_country() -> None:
    agent = Agent(country="DE", jurisdictions=("in", "eea"))
    found = locate(CATALOGUE, agent, requested="AE", header=None, default=None)
    assert found is not None
    assert found.jurisdictions == ("eea", "in")


def test_a_declared_country_under_no_law_takes_declared_jurisdictions_down_with_it() -> None:
    agent = Agent(country="CH", jurisdictions=("eea",))
    found = locate(CATALOGUE, agent, requested="DE", header=None, default=None)
    assert found is not None
    assert found.jurisdictions == ()


def test_what_the_caller_says_only_ranks_when_jurisdictions_are_declared() -> None:
    agent = Agent(jurisdictions=("eea",))
    found = locate(CATALOGUE, agent, requested="IN", header=None, default=None)
    assert found == Location("declared", None, ("eea",), "IN")


def test_a_phone_caller_s_order_is_declaration_dialled_number_own_number_default() -> None:
    fixed = Agent(country="AE")
    decided = [
        locate_phone(CATALOGUE, fixed, dialled="DE", caller="IN", default="IE"),
        locate_phone(CATALOGUE, ANY, dialled="DE", caller="IN", default="AE"),
        locate_phone(CATALOGUE, ANY, dialled=None, caller="IN", default="AE"),
        locate_phone(CATALOGUE, ANY, dialled=None, caller=None, default="AE"),
    ]
    assert [found and (found.source, found.jurisdictions) for found in decided] == [
        ("declared", ("ae",)),
        ("dialled", ("eea",)),
        ("caller", ("in",)),
        ("tenant_default", ("ae",)),
    ]
    assert locate_phone(CATALOGUE, ANY, dialled=None, caller=None, default=None) is None


def test_the_dialled_number_binds_alone_whatever_the_caller_s_own_number_is() -> None:
    for caller in ("IN", "CH", None):
        found = locate_phone(CATALOGUE, ANY, dialled="DE", caller=caller, default="AE")
        assert found == Location("dialled", "DE", ("eea",), "DE")


def test_a_dialled_number_under_no_law_does_not_fall_through_to_the_caller_s() -> None:
    found = locate_phone(CATALOGUE, ANY, dialled="CH", caller="DE", default="DE")
    assert found == Location("dialled", "CH", (), "CH")


@pytest.mark.parametrize(
    ("values", "country"),
    [
        (["DE"], "DE"),
        ([], None),
        (["XX"], None),
        (["T1"], None),
        (["de"], None),
        (["DE\n"], None),
        (["DE, IN"], None),
        (["DE", "IN"], None),
        (["ÄÖ"], None),
    ],
)
def test_a_header_that_is_not_one_clear_country_says_nothing(
    values: list[str], country: str | None
) -> None:
    assert country_of_header(values) == country
