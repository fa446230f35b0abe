"""A call out is bound by the callee's law too."""

from __future__ import annotations

import datetime as dt

import pytest

from edge.admission import NEEDS
from edge.internal import Admitted
from edge.phone.callee import MayCall, MayNotCall, callee_number, rule_callee
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import Catalogue, Jurisdiction, Region, Rule

CATALOGUE = load_catalogue()
EEA = ("eu-central-1", "eu-west-1")
TODAY = dt.date(2026, 11, 21)


def order(jurisdictions: tuple[str, ...] = ("eea",), regions: tuple[str, ...] = EEA) -> Admitted:
    return Admitted(
        session_id="s_" + "a" * 22,
        tenant="demo-clinic",
        agent="clinic-reception",
        jurisdictions=jurisdictions,
        policy=CATALOGUE.policy,
        regions={data_class.value: regions for data_class in NEEDS},
        resumed=False,
    )


def ruled(target: str, national: str | None = None) -> MayCall | MayNotCall:
    return rule_callee(
        order(), target, national=national, region="eu-central-1", law=Law(CATALOGUE), on=TODAY
    )


@pytest.mark.parametrize(
    "target",
    [
        "+496912345678",
        "tel:+35312345678",
        "sip:+496912345678@carrier.example",
        "+49 (69) 12345-678",
    ],
)
def test_a_number_under_the_token_s_law_is_called_on_the_token_s_terms(target: str) -> None:
    ruling = ruled(target)
    assert isinstance(ruling, MayCall)
    assert ruling.caller == order()


@pytest.mark.parametrize(
    "target", ["sip:alice@example.org", "sip:pbx.example.org", "201", "sip:201@x"]
)
def test_a_name_or_an_extension_is_called_on_the_token_s_terms(target: str) -> None:
    assert ruled(target) == MayCall(
        order(), "the target is no telephone number; the law of the token binds"
    )


@pytest.mark.parametrize(
    "target",
    [
        "+919876543210",
        "tel:+971501234567",
        "sip:+91-98765-43210@carrier.example",
        "sip:%2B919876543210@carrier.example",
        "+12025550123",
        "+18005551234",
        "+80012345678",
        "00919876543210",
        "sip:00919876543210@carrier.example",
        "sip:+919876543210x@carrier.example",
        "sip:00919876543210x@carrier.example",
        "tel:%2B919876543210",
        "+",
        "+٤٩٦٩١٢٣٤٥٦٧٨",
    ],
)
def test_a_number_elsewhere_or_of_no_known_country_is_not_called(target: str) -> None:
    assert isinstance(ruled(target), MayNotCall)


def test_digits_are_read_as_the_trunk_dials_them() -> None:
    assert isinstance(ruled("069 12345678", "DE"), MayCall)
    assert isinstance(ruled("0091 98765 43210", "DE"), MayNotCall)
    assert isinstance(ruled("069 12345678"), MayNotCall), "a number of where?"


def test_the_refusal_says_what_would_help() -> None:
    ruling = ruled("+919876543210")
    assert isinstance(ruling, MayNotCall)
    assert "ask for a route with the callee's country" in ruling.reason


def neighbours() -> Catalogue:
    """Two lands with a region each, and a third place that both laws allow."""
    lands = {"la": "DE", "lb": "FR", "lc": "CH"}
    classes = tuple(NEEDS)
    operations = tuple({operation for wanted in NEEDS.values() for operation in wanted})
    return Catalogue(
        version="1",
        regions=tuple(
            Region(
                id=f"r-{law}",
                name=law,
                cloud="aws",
                country=country,
                jurisdiction=law,
                latitude=0,
                longitude=0,
            )
            for law, country in lands.items()
        ),
        jurisdictions=tuple(
            Jurisdiction(
                id=law, name=law, countries=(country,), source="x", read_on=dt.date(2026, 11, 21)
            )
            for law, country in lands.items()
        ),
        rules=tuple(
            Rule(
                jurisdiction=law,
                classes=classes,
                operations=operations,
                regions=(f"r-{law}", "r-lc"),
                source="x",
                reason="x",
            )
            for law in lands
        ),
    )


def test_under_two_laws_only_what_both_allow_is_left() -> None:
    world = neighbours()
    caller = order(("la",), ("r-la", "r-lc"))
    ruling = rule_callee(
        caller, "+33123456789", national=None, region="r-lc", law=Law(world), on=TODAY
    )
    assert isinstance(ruling, MayCall)
    assert ruling.caller.jurisdictions == ("la", "lb")
    assert {ruling.caller.regions[data_class] for data_class in NEEDS} == {("r-lc",)}
    assert ruling.caller.regions["recording"] == ()
    refused = rule_callee(
        caller, "+33123456789", national=None, region="r-la", law=Law(world), on=TODAY
    )
    assert isinstance(refused, MayNotCall)


def test_the_callee_s_law_adds_no_region_to_the_token_s() -> None:
    world = neighbours()
    caller = order(("la",), ("r-la",))
    for region in ("r-lb", "r-lc"):
        ruling = rule_callee(
            caller, "+33123456789", national=None, region=region, law=Law(world), on=TODAY
        )
        assert isinstance(ruling, MayNotCall)


@pytest.mark.parametrize(
    ("target", "national", "number"),
    [
        ("+496912345678", None, "+496912345678"),
        ("tel:+49-69-12345678", None, "+496912345678"),
        ("sip:+496912345678@pbx.example.org", None, "+496912345678"),
        ("069/12345678", "DE", "+496912345678"),
        ("sip:reception@pbx.example.org", "DE", None),
        ("sip:201@pbx.example.org", None, None),
    ],
)
def test_who_is_on_the_line_of_a_call_out_is_known_by_number_alone(
    target: str, national: str | None, number: str | None
) -> None:
    assert callee_number(target, national) == number
