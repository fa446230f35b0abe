"""RFC 4475 section 3.1.2: wrong messages are refused, or read where nothing can be mistaken."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request, parse_message
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.wire.torture import SDP, invalid


def refused(data: bytes, status: int = 400) -> MessageError:
    """The error of a request that is answered with ``status``."""
    with pytest.raises(MessageError) as raised:
        parse_message(data)
    assert raised.value.status == status
    assert raised.value.headers is not None
    assert raised.value.headers.all("via")
    return raised.value


def dropped(data: bytes) -> None:
    """Nobody answers a response."""
    with pytest.raises(MessageError) as raised:
        parse_message(data)
    assert raised.value.headers is None


def tolerated(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_badinv01_separators_without_values_between_them_are_skipped() -> None:
    invite = tolerated(invalid.BADINV01)
    assert (invite.via.host, invite.via.parameters) == ("192.0.2.15", {})
    assert invite.contact == NameAddr("sip:joe@example.org", "Joe")


def test_clerr_a_body_that_is_cut_short_is_refused() -> None:
    refused(invalid.CLERR)


def test_ncl_a_negative_content_length_is_refused() -> None:
    refused(invalid.NCL)


def test_scalar02_a_cseq_beyond_its_range_is_refused() -> None:
    refused(invalid.SCALAR02)


def test_scalarlg_a_response_with_a_cseq_beyond_its_range_is_dropped() -> None:
    dropped(invalid.SCALARLG)


def test_quotbal_an_open_quote_in_the_to_is_refused() -> None:
    refused(invalid.QUOTBAL)


def test_ltgtruri_angle_brackets_around_a_request_uri_are_refused() -> None:
    refused(invalid.LTGTRURI)


def test_lwsruri_a_space_in_a_request_uri_is_refused() -> None:
    refused(invalid.LWSRURI)


def test_lwsstart_spaces_between_the_parts_of_the_start_line_are_skipped() -> None:
    invite = tolerated(invalid.LWSSTART)
    assert (invite.method, invite.uri) == ("INVITE", "sip:user@example.com")
    assert invite.body == SDP


def test_trws_spaces_behind_the_start_line_are_skipped() -> None:
    assert tolerated(invalid.TRWS).uri == "sip:remote-target@example.com"


def test_escruri_headers_in_a_request_uri_do_not_become_headers() -> None:
    invite = tolerated(invalid.ESCRURI)
    assert "route" not in invite.headers
    target = SipUri.parse(invite.uri)
    assert target.headers == "Route=%3Csip:example.com%3E"
    assert str(target.without_headers()) == "sip:user@example.com"


def test_baddate_a_date_that_nobody_needs_is_not_read() -> None:
    assert tolerated(invalid.BADDATE).headers.get("date") == "Fri, 01 Jan 2010 16:00:00 EST"


def test_regbadct_headers_in_a_contact_without_brackets_are_refused() -> None:
    register = tolerated(invalid.REGBADCT)
    with pytest.raises(MessageError) as raised:
        register.contact  # noqa: B018
    assert raised.value.status == 400


def test_badaspec_spaces_around_a_bracketed_address_are_skipped() -> None:
    assert tolerated(invalid.BADASPEC).to.uri == "sip:t.watson@example.org"


def test_baddn_a_display_name_that_should_be_quoted_is_read() -> None:
    options = tolerated(invalid.BADDN)
    assert options.from_ == NameAddr("sip:a.g.bell@example.com", "Bell, Alexander", {"tag": "43"})


def test_badvers_another_version_is_refused_as_such() -> None:
    refused(invalid.BADVERS, 505)


def test_mismatch01_a_cseq_of_another_method_is_refused() -> None:
    refused(invalid.MISMATCH01)


def test_mismatch02_a_cseq_of_another_method_is_refused_with_an_unknown_method_too() -> None:
    refused(invalid.MISMATCH02)


def test_bigcode_a_status_of_ten_digits_is_dropped() -> None:
    dropped(invalid.BIGCODE)
