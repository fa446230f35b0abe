"""A phone call goes where its law allows, or nowhere, and no answer of ours sends it elsewhere."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.contract import Candidate, Problem, RegionVerdict, RouteResponse
from edge.internal import Admitted
from edge.phone.placement import (
    DRAINING_SECONDS,
    FULL_SECONDS,
    MAX_CONTACTS,
    MAX_RETRY_SECONDS,
    Busy,
    Decline,
    Here,
    Redirect,
    Routed,
    TakeHere,
    Unrouted,
    decide,
    hold_to_law,
    without_token,
)
from edge.tenancy import Tenancy
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr
from tests.edge.test_admission import CATALOGUE, EEA, LAW, NOW, OneKey

EVERYBODY = Tenancy()
REGIONS = ("eu-central-1", "eu-west-1", "ap-south-1")
HERE = Here("eu-central-1", "eu-central-1-a", "sip:eu-central-1.example.org", True, False)
FULL = Here("eu-central-1", "eu-central-1-a", "sip:eu-central-1.example.org", False, False)
DRAINING = Here("eu-central-1", "eu-central-1-a", "sip:eu-central-1.example.org", True, True)


def candidate(region: str, node: str = "n", sip: str | None = "") -> Candidate:
    address = f"sip:{region}.example.org" if sip == "" else sip
    return Candidate(region=region, node=node, url="http://x", reason="near", sip=address)


def caller(regions: tuple[str, ...]) -> Admitted:
    return Admitted(
        session_id="s_" + "a" * 22,
        tenant="demo-clinic",
        agent="clinic-reception",
        jurisdictions=("eea",),
        policy=CATALOGUE.policy,
        regions={"audio": regions},
        resumed=False,
    )


def routed(*allowed: str, here: str = "eu-central-1", candidates: Any = None) -> Routed:
    offered = [candidate(region) for region in allowed] if candidates is None else candidates
    return Routed(allowed, caller(allowed) if here in allowed else None, tuple(offered))


def test_a_call_that_may_be_here_stays_here_whatever_is_nearer() -> None:
    ruling = routed("eu-west-1", "eu-central-1")
    decision = decide(ruling, HERE, ("eu-central-1", "ap-south-1"))
    assert isinstance(decision, TakeHere)
    assert decision.caller == ruling.caller


def test_a_call_that_may_be_elsewhere_is_sent_there_in_order() -> None:
    ruling = routed("ap-south-1", "eu-west-1")
    decision = decide(ruling, HERE, ("eu-central-1",))
    assert isinstance(decision, Redirect)
    assert [str(address) for address in decision.addresses] == [
        "sip:ap-south-1.example.org",
        "sip:eu-west-1.example.org",
    ]


def test_contacts_keep_the_dialled_user_the_transport_and_the_order() -> None:
    decision = Redirect(
        (SipUri.parse("sip:a.example.org;transport=tls"), SipUri.parse("sips:[2001:db8::1]:5061")),
        "",
    )
    assert decision.contacts("+496912345678") == (
        "<sip:+496912345678@a.example.org;transport=tls>;q=1.0",
        "<sips:+496912345678@[2001:db8::1]:5061>;q=0.9",
    )
    assert decision.contacts(None)[0] == "<sip:a.example.org;transport=tls>;q=1.0"
    odd = NameAddr.parse(decision.contacts("a>\r\nX: 1")[0])
    assert odd.sip_uri().user == "a>\r\nX: 1"
    assert "\r" not in odd.uri and ">" not in odd.uri


def test_a_call_that_may_be_nowhere_is_declined_with_the_reason() -> None:
    decision = decide(routed(), HERE, ("eu-central-1",))
    assert isinstance(decision, Decline)
    assert decision.reason_header == (
        'Q.850;cause=21;text="Call rejected", X-Inland;cause=403;text="no_region_allowed"'
    )


@pytest.mark.parametrize(("here", "seconds"), [(FULL, FULL_SECONDS), (DRAINING, DRAINING_SECONDS)])
def test_a_full_or_draining_node_says_503_to_a_trunk_whose_routes_are_all_lawful(
    here: Here, seconds: int
) -> None:
    decision = decide(routed("eu-central-1", "eu-west-1"), here, ("eu-central-1", "eu-west-1"))
    assert isinstance(decision, Busy)
    assert decision.retry_after == seconds


@pytest.mark.parametrize("here", [FULL, DRAINING])
def test_another_trunk_is_sent_to_the_other_lawful_regions_and_never_hears_503(here: Here) -> None:
    routes = ("eu-central-1", "ap-south-1")
    decision = decide(routed("eu-central-1", "eu-west-1"), here, routes)
    assert isinstance(decision, Redirect)
    assert [str(address) for address in decision.addresses] == ["sip:eu-west-1.example.org"]
    assert isinstance(decide(routed("eu-central-1"), here, routes), Decline)


def test_a_trunk_whose_routes_nobody_named_never_hears_503() -> None:
    assert isinstance(decide(routed("eu-central-1"), FULL, ()), Decline)


def test_no_call_is_sent_back_to_where_it_came_from() -> None:
    offered = [
        candidate("eu-central-1", "eu-central-1-a", "sip:another-name.example.org"),
        candidate("eu-central-1", "eu-central-1-b"),
        candidate("eu-central-1", "eu-central-1-c", "sip:EU-Central-1.example.org"),
        candidate("eu-central-1", "eu-central-1-d", "sip:d.example.org"),
    ]
    decision = decide(routed("eu-central-1", candidates=offered), FULL, ("ap-south-1",))
    assert isinstance(decision, Redirect)
    assert [str(address) for address in decision.addresses] == ["sip:d.example.org"]


def test_an_address_stands_once_and_there_are_only_so_many() -> None:
    twice = [candidate("eu-west-1", "a"), candidate("eu-west-1", "b")]
    many = [candidate("eu-west-1", f"n{at}", f"sip:n{at}.example.org") for at in range(20)]
    for offered, count in ((twice, 1), (many, MAX_CONTACTS)):
        decision = decide(routed("eu-west-1", candidates=offered), HERE, ("eu-central-1",))
        assert isinstance(decision, Redirect)
        assert len(decision.addresses) == count


@pytest.mark.parametrize("address", [None, "sip:[::::]", "sip:x:99999"])
def test_a_lawful_region_without_a_usable_address_is_no_way_out(address: str | None) -> None:
    ruling = routed("eu-west-1", candidates=[candidate("eu-west-1", sip=address)])
    decision = decide(ruling, HERE, ("eu-central-1", "eu-west-1"))
    assert isinstance(decision, Decline)
    assert decision.code == "no_region_available"


def test_when_no_lawful_region_has_room_the_trunk_s_routes_decide_between_503_and_603() -> None:
    ruling = Unrouted("no_region_available", ("eu-west-1",), 7)
    assert decide(ruling, HERE, ("eu-west-1",)) == Busy(7, "no allowed region has room")
    assert isinstance(decide(ruling, HERE, ("eu-central-1", "eu-west-1")), Decline)
    endless = Unrouted("no_region_available", ("eu-west-1",), 10**6)
    busy = decide(endless, HERE, ("eu-west-1",))
    assert isinstance(busy, Busy) and busy.retry_after == MAX_RETRY_SECONDS


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("no_region_allowed", 403),
        ("unknown_agent", 404),
        ("location_unknown", 422),
        ("rate_limited", 429),
        ("control_plane_away", 503),
    ],
)
def test_without_a_ruling_a_call_is_declined_and_never_tried_elsewhere(
    code: str, cause: int
) -> None:
    decision = decide(Unrouted(code), HERE, ("eu-central-1",))
    assert isinstance(decision, Decline)
    assert (decision.code, decision.cause) == (code, cause)


@pytest.mark.parametrize("code", ['x"\r\nX-Evil: 1', "", "X" * 50, "Ä"])
def test_a_control_plane_s_words_do_not_reach_a_header_unless_they_are_a_code(code: str) -> None:
    found = without_token(Problem(code=code, title="", status=500, detail=""))
    assert found.code == "refused"


def test_a_refusal_keeps_which_regions_are_allowed() -> None:
    verdicts = tuple(
        RegionVerdict(region=name, allowed=name != "ap-south-1", reason="") for name in REGIONS
    )
    problem = Problem(code="no_region_available", title="", status=503, detail="", regions=verdicts)
    assert without_token(problem, 5) == Unrouted(
        "no_region_available", ("eu-central-1", "eu-west-1"), 5
    )


# --- the answer held against the law ---


KEY = OneKey()


def answer(*candidates: Candidate, **claims: Any) -> RouteResponse:
    token = KEY.sign(**({"med": "sip"} | claims))
    return RouteResponse(
        session_id="s_" + "a" * 22,
        token=token,
        expires_at=NOW + 60,
        policy=CATALOGUE.policy,
        jurisdictions=("eea",),
        candidates=candidates,
        regions=(),
    )


def held(
    given: RouteResponse, region: str = "eu-central-1", tenancy: Tenancy = EVERYBODY
) -> Routed | Unrouted:
    return hold_to_law(given, keys=KEY, now=NOW, region=region, law=LAW, tenancy=tenancy)


def test_candidates_outside_the_token_or_the_law_are_forgotten() -> None:
    offered = [candidate(region) for region in REGIONS]
    wide = {name: [*EEA, "ap-south-1"] for name in ("audio", "transcript", "variables")}
    for claims in ({}, {"reg": wide}):
        found = held(answer(*offered, **claims))
        assert isinstance(found, Routed)
        assert found.allowed == tuple(EEA)
        assert [each.region for each in found.candidates] == EEA
        assert found.caller is not None and found.caller.agent == "clinic-reception"


def test_a_call_of_a_tenant_that_is_not_served_here_goes_to_its_nodes_and_nowhere_else() -> None:
    theirs = candidate("eu-central-1", "clinic-1", "sip:clinic.example.org")
    cases: list[tuple[Tenancy, dict[str, Any]]] = [
        (Tenancy(only=("bank",)), {}),
        (EVERYBODY, {"ded": True}),
        (Tenancy(stored=("bank",)), {}),
    ]
    for tenancy, claims in cases:
        found = held(answer(theirs, **claims), tenancy=tenancy)
        assert isinstance(found, Routed) and found.caller is None
        decision = decide(found, HERE, ("eu-central-1",))
        assert isinstance(decision, Redirect)
        assert [str(address) for address in decision.addresses] == ["sip:clinic.example.org"]
        alone = held(answer(**claims), tenancy=tenancy)
        assert isinstance(decide(alone, HERE, ("eu-central-1", "ap-south-1")), Decline)
    kept = held(answer(theirs, ded=True), tenancy=Tenancy(only=("demo-clinic",)))
    assert isinstance(decide(kept, HERE, ()), TakeHere)


def test_in_a_region_that_may_not_have_the_call_nobody_is_admitted() -> None:
    found = held(answer(candidate("eu-west-1")), "ap-south-1")
    assert isinstance(found, Routed)
    assert found.caller is None and found.allowed == tuple(EEA)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"med": "webrtc"}, "bad_token"),
        ({"pol": "2020-01-01.1#000000000000"}, "wrong_policy"),
        ({"exp": NOW - 60, "iat": NOW - 120, "nbf": NOW - 120}, "token_expired"),
        ({"kid": "k9"}, "bad_token"),
    ],
    ids=str,
)
def test_an_answer_whose_token_is_worth_nothing_opens_nothing(
    claims: dict[str, Any], code: str
) -> None:
    found = held(answer(candidate("eu-west-1"), **claims))
    assert found == Unrouted(code)
    assert isinstance(decide(found, HERE, ("eu-central-1",)), Decline)


def test_a_token_signed_by_somebody_else_opens_nothing() -> None:
    claims = jwt.decode(answer().token, options={"verify_signature": False})
    stranger = jwt.encode(
        claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "k1"}
    )
    forged = json.loads(answer().model_dump_json()) | {"token": stranger}
    found = held(RouteResponse.model_validate_json(json.dumps(forged)))
    assert found == Unrouted("bad_token")


# --- whatever happens ---

SOME = st.lists(st.sampled_from(REGIONS), unique=True).map(tuple)
CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.sampled_from(REGIONS),
        st.sampled_from(["eu-central-1-a", "b", "c"]),
        st.sampled_from(["", "sip:other.example.org", "sips:[2001:db8::1]:5061", None]),
    ),
    max_size=6,
)
PLACES = st.builds(
    Here,
    region=st.sampled_from(REGIONS),
    node=st.sampled_from(["eu-central-1-a", "b"]),
    address=st.sampled_from([None, "sip:eu-central-1.example.org", "sip:other.example.org"]),
    room=st.booleans(),
    draining=st.booleans(),
)


@settings(deadline=None, max_examples=500)
@given(allowed=SOME, offered=CANDIDATES, here=PLACES, routes=SOME)
def test_nothing_leads_out_of_the_allowed_set(
    allowed: tuple[str, ...], offered: list[Candidate], here: Here, routes: tuple[str, ...]
) -> None:
    ruling = routed(*allowed, here=here.region, candidates=offered)
    decision = decide(ruling, here, routes)
    match decision:
        case TakeHere():
            assert here.region in allowed and here.room and not here.draining
        case Redirect(addresses):
            lawful = {str(SipUri.parse(c.sip)) for c in offered if c.sip and c.region in allowed}
            assert addresses and {str(address) for address in addresses} <= lawful
            assert here.address not in {str(address) for address in addresses}
        case Busy(retry_after):
            assert routes and set(routes) <= set(allowed)
            assert 1 <= retry_after <= MAX_RETRY_SECONDS
        case Decline():
            assert not (here.region in allowed and here.room and not here.draining)


@settings(deadline=None, max_examples=200)
@given(
    code=st.sampled_from(["no_region_available", "no_region_allowed", "control_plane_away"]),
    allowed=SOME,
    here=PLACES,
    routes=SOME,
)
def test_without_a_token_a_call_is_never_taken_and_never_sent_anywhere(
    code: str, allowed: tuple[str, ...], here: Here, routes: tuple[str, ...]
) -> None:
    decision = decide(Unrouted(code, allowed), here, routes)
    match decision:
        case Busy():
            assert routes and set(routes) <= set(allowed)
        case _:
            assert isinstance(decision, Decline)


@settings(deadline=None, max_examples=100)
@given(
    listed=SOME,
    law=st.sampled_from([("eea",), ("in",), ("ae",), ("eea", "in")]),
    offered=CANDIDATES,
    here=PLACES,
    routes=SOME,
)
def test_from_the_signed_token_to_the_decision_the_law_holds(
    listed: tuple[str, ...],
    law: tuple[str, ...],
    offered: list[Candidate],
    here: Here,
    routes: tuple[str, ...],
) -> None:
    """Whatever the control plane signs: the node's own catalogue is the limit."""
    lawful = {"eea": set(EEA), "in": {"ap-south-1", "ap-south-2"}, "ae": {"me-central-1"}}
    limit = set(listed).intersection(*(lawful[name] for name in law))
    every = {name: list(listed) for name in ("audio", "transcript", "variables")}
    ruling = held(answer(*offered, jur=list(law), reg=every), here.region)
    assert isinstance(ruling, Routed)
    assert set(ruling.allowed) == limit
    match decide(ruling, here, routes):
        case TakeHere(admitted):
            assert here.region in limit
            assert all(set(regions) <= limit for regions in admitted.regions.values())
        case Redirect(addresses):
            may = {str(SipUri.parse(c.sip)) for c in offered if c.sip and c.region in limit}
            assert {str(address) for address in addresses} <= may
        case Busy():
            assert set(routes) <= limit
        case Decline():
            pass
