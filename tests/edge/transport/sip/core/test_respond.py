"""Responses to requests (RFC 3261 section 8.2.6)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.respond import make_response
from tests.edge.transport.sip.core.party import make_request

EXTRA = [
    ("record-route", "<sip:p1.example.net;lr>"),
    ("record-route", "<sip:p2.example.net;lr>"),
    ("timestamp", "54"),
    ("contact", "<sip:alice@192.0.2.1>"),
]


@pytest.mark.parametrize("status", [100, 180, 200, 302, 486])
def test_a_response_copies_what_it_must(status: int) -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2", headers=EXTRA)
    response = make_response(request, status)
    for name in ("via", "from", "to", "call-id", "cseq"):
        assert response.headers.all(name) == request.headers.all(name)
    assert "contact" not in response.headers


@pytest.mark.parametrize(
    ("status", "copied"), [(100, False), (180, True), (200, True), (302, False), (486, False)]
)
def test_record_route_goes_into_what_makes_a_dialog_in_its_order(status: int, copied: bool) -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1", headers=EXTRA)
    expected = request.headers.all("record-route") if copied else ()
    assert make_response(request, status).headers.all("record-route") == expected


@pytest.mark.parametrize(("status", "copied"), [(100, "54"), (180, None), (200, None)])
def test_a_timestamp_goes_into_a_100(status: int, copied: str | None) -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1", headers=EXTRA)
    assert make_response(request, status).headers.get("timestamp") == copied


@pytest.mark.parametrize(
    ("status", "before", "after"), [(100, "", ""), (180, "", "t"), (486, "", "t"), (200, "o", "o")]
)
def test_the_to_gets_a_tag_unless_it_has_one_or_the_response_is_a_100(
    status: int, before: str, after: str
) -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1", to_tag=before)
    assert make_response(request, status, to_tag="t").to.tag == after


def test_a_to_without_brackets_gets_its_tag_too() -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1")
    request.headers.set("to", "sip:bob@example.net")
    assert make_response(request, 200, to_tag="t").to.tag == "t"


def test_the_reason_is_the_registered_one_unless_given() -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1")
    assert make_response(request, 486).reason == "Busy Here"
    assert make_response(request, 486, "Not now").reason == "Not now"
    assert make_response(request, 599).reason == ""


def test_headers_and_a_body_are_added() -> None:
    request = make_request(via="SIP/2.0/UDP a;branch=1")
    response = make_response(
        request, 200, headers=[("x-one", "1")], body=b"v=0", content_type="application/sdp"
    )
    assert response.headers.get("x-one") == "1"
    assert (response.content_type, response.body) == ("application/sdp", b"v=0")
