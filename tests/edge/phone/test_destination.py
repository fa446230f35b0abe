"""Which agent a call is for, and which country its number is from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.phone.destination import Dialled, DialPlan, caller_country, caller_number
from edge.phone.trunk import Trunk
from tests.edge.phone.parts import NUMBER, invite, number, phone, trunk

GERMAN = trunk(national_format="DE")
TRUSTED = trunk(trust_identity=True, national_format="DE")
CLINIC = Dialled("demo-clinic", "clinic-reception", "DE")
PBX = trunk("pbx", networks=("192.0.2.10",))


def plan(trunk: Trunk = GERMAN) -> DialPlan:
    clinic = {"tenant": "demo-clinic", "agent": "clinic-reception"}
    return DialPlan(
        phone(
            trunks=[trunk, PBX],
            numbers=[
                number(),
                {"user": "Clinic", "country": "IE", "trunks": ["pbx"], **clinic},
                number("+80012345678", country="caller"),
            ],
            registrations=[
                {
                    "name": "x",
                    "trunk": "pbx",
                    "registrar": "sip:pbx.example.org",
                    "username": "201",
                    "password_env": "P",
                    "country": "AE",
                    **clinic,
                }
            ],
        )
    )


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:{NUMBER}@edge.example.org",
        f"sips:{NUMBER}@edge.example.org:5061;user=phone",
        f"tel:{NUMBER}",
        "tel:+49-69-1234-5678;phone-context=+49",
        "sip:004969%2012345678@edge.example.org",
        "sip:06912345678@edge.example.org",
        "sip:06912345678;phone-context=+49@edge.example.org",
        "sip:496912345678@edge.example.org",
        "sip:(069)1234-5678@[2001:db8::1]",
    ],
)
def test_the_number_is_found_however_it_is_written(uri: str) -> None:
    assert plan().find(invite(uri), GERMAN) == CLINIC


def test_digits_are_not_read_as_german_where_the_trunk_is_not() -> None:
    plain = trunk()
    assert plan(plain).find(invite("sip:06912345678@edge.example.org"), plain) is None
    assert plan(plain).find(invite("sip:496912345678@edge.example.org"), plain) == CLINIC


def test_where_the_uri_names_an_account_the_called_party_and_then_to_are_asked() -> None:
    account = "sip:account-17@edge.example.org"
    by_header = invite(account, f"P-Called-Party-ID: <sip:{NUMBER}@carrier.example>")
    by_to = invite(account, to=f'"Clinic" <sip:{NUMBER}@carrier.example>')
    assert plan().find(by_header, GERMAN) == plan().find(by_to, GERMAN) == CLINIC
    assert plan().find(invite(account), GERMAN) is None


def test_the_uri_counts_before_what_the_headers_say() -> None:
    request = invite("sip:+80012345678@edge.example.org", to=f"<sip:{NUMBER}@carrier.example>")
    found = plan().find(request, GERMAN)
    assert found is not None and found.country is None


def test_who_forwarded_the_call_is_not_who_was_dialled() -> None:
    diverted = invite("sip:+49301234567@edge.example.org", f"Diversion: <sip:{NUMBER}@x>")
    assert plan().find(diverted, GERMAN) is None


def test_users_and_extensions_belong_to_their_trunk_and_keep_their_letter_case() -> None:
    user, extension = invite("sip:Clinic@edge"), invite("sip:201@192.0.2.1:5060")
    assert plan().find(user, PBX) == Dialled("demo-clinic", "clinic-reception", "IE")
    assert plan().find(extension, PBX) == Dialled("demo-clinic", "clinic-reception", "AE")
    assert plan().find(user, GERMAN) is None
    assert plan().find(extension, GERMAN) is None
    assert plan().find(invite("sip:clinic@edge"), PBX) is None


@pytest.mark.parametrize(
    "uri", ["sip:edge.example.org", "mailto:a@b", "sip:@edge", "sip:a@[", "tel:", "urn:x"]
)
def test_what_cannot_be_read_leads_nowhere(uri: str) -> None:
    assert plan().find(invite(uri), GERMAN) is None


@pytest.mark.parametrize(
    ("from_", "country"),
    [
        ("<sip:+971501234567@carrier.example>", "AE"),
        ('"A caller" <tel:+91-98765-43210>', "IN"),
        ("<sip:03012345678@carrier.example;user=phone>", "DE"),
        ("<sip:anonymous@anonymous.invalid>", None),
        ("<sip:+18005551234@carrier.example>", None),
        ("<sip:alice@carrier.example>", None),
        ("<sip:carrier.example>", None),
    ],
)
def test_the_caller_s_country_is_that_of_the_number_in_from(
    from_: str, country: str | None
) -> None:
    assert caller_country(invite(from_=from_), GERMAN) == country


def test_an_asserted_identity_counts_only_from_a_trunk_that_is_trusted_to_assert() -> None:
    request = invite(
        f"sip:{NUMBER}@edge",
        'P-Asserted-Identity: "A" <sip:alice@x>, <tel:+971501234567>',
        from_="<sip:+919876543210@x>",
    )
    assert caller_country(request, TRUSTED) == "AE"
    assert caller_country(request, GERMAN) == "IN"
    remote = invite(
        f"sip:{NUMBER}@edge",
        "Remote-Party-ID: <sip:+971501234567@x>;party=calling;privacy=off",
        from_="<sip:+919876543210@x>",
    )
    assert caller_country(remote, TRUSTED) == "AE"
    assert caller_country(remote, GERMAN) == "IN"


@pytest.mark.parametrize(
    "header",
    [
        "Privacy: id",
        "Privacy: header;user;critical",
        "Privacy: session; ID",
        "Remote-Party-ID: <sip:+971501234567@x>;privacy=full",
    ],
)
def test_a_caller_who_withholds_the_number_is_from_nowhere(header: str) -> None:
    request = invite(
        f"sip:{NUMBER}@edge",
        header,
        "P-Asserted-Identity: <tel:+971501234567>",
        from_="<sip:+919876543210@x>",
    )
    assert caller_country(request, TRUSTED) is None


def test_privacy_none_withholds_nothing() -> None:
    request = invite(f"sip:{NUMBER}@edge", "Privacy: none", from_="<sip:+919876543210@x>")
    assert caller_country(request, TRUSTED) == "IN"


@pytest.mark.parametrize(
    "header",
    ['P-Asserted-Identity: "open', "P-Asserted-Identity: <", "Remote-Party-ID: <<", "Privacy: ;;"],
)
def test_a_broken_header_is_passed_over(header: str) -> None:
    request = invite(f"sip:{NUMBER}@edge", header, from_="<sip:+919876543210@x>")
    assert caller_country(request, TRUSTED) == "IN"


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@settings(deadline=None, max_examples=200)
@given(user=TEXT, header=TEXT, identity=TEXT)
def test_whatever_a_call_says_of_itself_nothing_is_raised(
    user: str, header: str, identity: str
) -> None:
    request = invite()
    request.uri = f"sip:{user}@edge"
    request.headers.set("to", header)
    request.headers.set("from", identity)
    request.headers.set("p-asserted-identity", identity)
    request.headers.set("p-called-party-id", header)
    request.headers.set("privacy", identity)
    plan(TRUSTED).find(request, TRUSTED)
    country = caller_country(request, TRUSTED)
    assert country is None or len(country) == 2


@pytest.mark.parametrize(
    ("who", "number"),
    [
        ("<sip:+4930111@carrier.example>", "+4930111"),
        ("<sip:03012345678@carrier.example>", "+493012345678"),
        ("<tel:+49-30-12345678>", "+493012345678"),
        ("<sip:201@carrier.example>", None),
        ("<sip:99999@carrier.example>", None),
        ("<sip:anonymous@anonymous.invalid>", None),
    ],
)
def test_the_callers_own_number_is_read_from_from(who: str, number: str | None) -> None:
    assert caller_number(invite(from_=who), GERMAN) == number


def test_an_asserted_number_counts_from_a_trunk_that_is_trusted_and_a_withheld_one_never() -> None:
    asserted = invite("sip:1@a", "P-Asserted-Identity: <sip:+493012345678@carrier.example>")
    assert caller_number(asserted, TRUSTED) == "+493012345678"
    assert caller_number(asserted, GERMAN) is None
    private = "Privacy: id"
    assert caller_number(invite("sip:1@a", private, from_="<sip:+4930111@a>"), GERMAN) is None
