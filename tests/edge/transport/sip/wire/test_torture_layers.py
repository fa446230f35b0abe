"""RFC 4475 sections 3.2 to 3.4: the parser hands on what the layers above need to judge."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.digest import Authorization
from edge.transport.sip.wire.errors import MessageError, StreamBroken
from edge.transport.sip.wire.framing import StreamFramer
from edge.transport.sip.wire.message import Message, parse_message
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import MAGIC, NameAddr, Via
from tests.edge.transport.sip.wire.torture import SDP, layers


def refusal(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as raised:
        parse_message(data)
    return raised.value


def scheme_status(uri: str) -> int:
    with pytest.raises(MessageError) as raised:
        SipUri.parse(uri)
    return raised.value.status


def contact(message: Message) -> NameAddr:
    found = message.contact
    assert found is not None
    return found


def test_badbranch_a_branch_that_is_only_the_cookie_identifies_nothing() -> None:
    assert parse_message(layers.BADBRANCH).via.branch == MAGIC


def test_insuf_a_request_without_from_to_and_call_id_can_still_be_answered() -> None:
    error = refusal(layers.INSUF)
    assert error.status == 400
    assert error.headers is not None
    assert "via" in error.headers
    assert "from" not in error.headers


def test_unkscm_an_unknown_scheme_is_416() -> None:
    message = parse_message(layers.UNKSCM)
    assert message.to.sip_uri().user == "user"
    assert scheme_status("nobodyKnowsThisScheme:totallyopaquecontent") == 416


def test_novelsc_a_known_scheme_that_is_not_sip_is_416() -> None:
    parse_message(layers.NOVELSC)
    assert scheme_status("soap.beep://192.0.2.103:3002") == 416


def test_unksm2_other_schemes_in_from_to_and_contact_are_kept_as_text() -> None:
    register = parse_message(layers.UNKSM2)
    assert register.to.uri == "isbn:2983792873"
    assert register.from_.uri == "http://www.example.com"
    assert contact(register).uri == "name:John_Smith"


def test_bext01_required_extensions_are_listed() -> None:
    options = parse_message(layers.BEXT01)
    assert options.headers.all("require") == ("nothingSupportsThis", "nothingSupportsThisEither")
    assert options.headers.tokens("proxy-require") == {
        "noproxiessupportthis",
        "nordoanyproxiessupportthis",
    }


def test_invut_a_body_of_an_unknown_type_is_handed_on() -> None:
    invite = parse_message(layers.INVUT)
    assert invite.content_type == "application/unknownformat"
    assert invite.body == layers.INVUT_BODY


def test_regaut01_an_unknown_authorization_scheme_is_no_digest() -> None:
    text = parse_message(layers.REGAUT01).headers.get("authorization")
    assert text == "NoOneKnowsThisScheme opaque-data=here"
    with pytest.raises(MessageError):
        Authorization.parse(text)


def test_multi01_a_second_value_of_what_has_one_is_refused() -> None:
    error = refusal(layers.MULTI01)
    assert error.status == 400
    assert error.headers is not None


def test_mcl01_two_content_lengths_are_refused() -> None:
    assert refusal(layers.MCL01).status == 400


def test_mcl01_two_content_lengths_end_a_connection() -> None:
    with pytest.raises(StreamBroken):
        list(StreamFramer().feed(layers.MCL01))


def test_bcast_a_via_of_the_broadcast_address_is_seen_second() -> None:
    ok = parse_message(layers.BCAST)
    assert [Via.parse(text).host for text in ok.headers.all("via")] == [
        "192.0.2.198",
        "255.255.255.255",
    ]


def test_zeromf_max_forwards_of_zero_is_no_fault_of_the_message() -> None:
    assert parse_message(layers.ZEROMF).headers.get("max-forwards") == "0"


def test_cparam01_a_parameter_outside_brackets_is_the_contact_s() -> None:
    found = contact(parse_message(layers.CPARAM01))
    assert found == NameAddr("sip:+19725552222@gw1.example.net", "", {"unknownparam": None})


def test_cparam02_a_parameter_inside_brackets_is_the_uri_s() -> None:
    found = contact(parse_message(layers.CPARAM02))
    assert found.parameters == {}
    assert found.sip_uri().parameters == {"unknownparam": None}


def test_regescrt_an_escaped_header_in_a_contact_stays_in_its_uri() -> None:
    found = contact(parse_message(layers.REGESCRT))
    assert found.sip_uri().headers == "Route=%3Csip:sip.example.com%3E"


def test_sdp01_accept_says_what_an_answer_may_be_made_of() -> None:
    invite = parse_message(layers.SDP01)
    assert invite.headers.all("accept") == ("text/nobodyKnowsThis",)
    assert invite.content_type == "application/sdp"


def test_inv2543_an_invite_of_rfc_2543_is_read() -> None:
    invite = parse_message(layers.INV2543)
    assert invite.via.branch == ""
    assert invite.from_.tag == ""
    assert invite.from_.sip_uri().parameters == {"user": "phone"}
    assert invite.body == SDP
