"""RFC 4475 section 3.1.1: strange messages that are right are read as they are meant."""

from __future__ import annotations

from edge.transport.sip.wire.message import Request, Response, parse_message
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import CSeq, NameAddr, Via
from tests.edge.transport.sip.wire.torture import SDP, valid


def request(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def response(data: bytes) -> Response:
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


def test_wsinv_folds_spaces_and_compact_names_are_read() -> None:
    invite = request(valid.WSINV)
    assert invite.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert invite.to.uri == "sip:vivekg@chair-dnrc.example.com"
    assert invite.to.tag == "1918181833n"
    assert invite.from_ == NameAddr(
        "sip:jdrosen@example.com", 'J Rosenberg \\"', {"tag": "98asjd8"}
    )
    assert invite.headers.get("max-forwards") == "0068"
    assert invite.cseq == CSeq(9, "INVITE")
    assert [Via.parse(text) for text in invite.headers.all("via")] == [
        Via("UDP", "192.0.2.2", None, {"branch": "390skdjuw"}),
        Via("TCP", "spindle.example.com", None, {"branch": "z9hG4bK9ikj8"}),
        Via("UDP", "192.168.255.111", None, {"branch": "z9hG4bK30239"}),
    ]
    assert invite.headers.get("subject") == ""
    assert invite.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert invite.headers.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert NameAddr.parse(invite.headers.all("route")[0]).parameters == {}
    assert invite.contact == NameAddr(
        "sip:jdrosen@example.com",
        'Quoted string ""',
        {"newparam": "newvalue", "secondparam": None, "q": "0.33"},
    )
    assert invite.body == SDP


def test_intmeth_every_character_that_is_allowed_is_taken() -> None:
    strange = request(valid.INTMETH)
    assert strange.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert SipUri.parse(strange.uri).user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert SipUri.parse(strange.uri).host == "example.com"
    assert strange.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert strange.to.display == "BEL:\x07 NUL:  DEL:\x7f"
    assert strange.from_.display == "token1~` token2'+_ token3*%!.-"
    assert strange.from_.tag == "_token~1'+`*%!-."
    assert strange.from_.parameters["fromparam''~+*_!.-%"] == '"работающий"'
    assert strange.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert strange.headers.get("extensionHeader-!.%*+_`'~") == "大停電"


def test_esc01_escapes_are_decoded_where_they_stand_for_characters() -> None:
    invite = request(valid.ESC01)
    target = SipUri.parse(invite.uri)
    assert (target.user, target.host) == ("sips:user@example.com", "example.net")
    assert str(target) == "sip:sips%3Auser%40example.com@example.net"
    assert invite.to.sip_uri().user == "user"
    assert invite.from_.sip_uri().user == "I have spaces"
    assert invite.contact is not None
    assert invite.contact.sip_uri().user == "caller"


def test_escnull_an_escaped_nul_is_part_of_the_user() -> None:
    register = request(valid.ESCNULL)
    assert register.to.sip_uri().user == "null-\0-null"
    contacts = [NameAddr.parse(text).sip_uri() for text in register.headers.all("contact")]
    assert [contact.user for contact in contacts] == ["\0", "\0\0"]
    assert str(contacts[1]) == "sip:%00%00@host5.example.com"


def test_esc02_a_percent_sign_in_a_method_or_header_name_escapes_nothing() -> None:
    strange = request(valid.ESC02)
    assert strange.method == "RE%47IST%45R"
    assert strange.to.display == "%Z%45"
    assert strange.headers.all("contact") == (
        "<sip:alias1@host1.example.com>",
        "<sip:alias3@host3.example.com>",
    )
    assert strange.headers.get("c%6Fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp_a_display_name_needs_no_space_behind_it() -> None:
    options = request(valid.LWSDISP)
    assert options.from_ == NameAddr("sip:caller@example.com", "caller", {"tag": "323"})


def test_longreq_long_values_are_read_whole() -> None:
    invite = request(valid.LONGREQ)
    assert len(invite.headers.all("via")) == 35
    assert invite.via.sent_by == "sip34.example.com:"
    assert len(invite.from_.tag) == 155
    assert invite.to.sip_uri().port == 6000
    assert invite.call_id.count("really") == 20
    assert len(invite.headers.get("unknown-" + "long" * 20 + "-name") or "") > 200


def test_dblreq_bytes_behind_the_content_length_are_not_read() -> None:
    register = request(valid.DBLREQ)
    assert register.method == "REGISTER"
    assert register.body == b""
    assert register == parse_message(valid.DBLREQ_FIRST)


def test_semiuri_semicolons_and_an_escaped_at_sign_belong_to_the_user() -> None:
    target = SipUri.parse(request(valid.SEMIURI).uri)
    assert target.user == "user;par=u@example.net"
    assert (target.host, target.parameters) == ("example.com", {})
    assert len(request(valid.SEMIURI).headers.all("accept")) == 6


def test_transports_a_via_may_name_a_transport_that_nobody_knows() -> None:
    options = request(valid.TRANSPORTS)
    found = [Via.parse(text).transport for text in options.headers.all("via")]
    assert found == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01_a_body_may_be_of_many_parts_and_any_bytes() -> None:
    message = request(valid.MPART01)
    assert message.content_type == "multipart/mixed"
    assert message.body == valid.MPART_BODY


def test_unreason_a_reason_phrase_may_be_in_any_script() -> None:
    ok = response(valid.UNREASON)
    assert (ok.status, ok.reason) == (200, valid.PHRASE)


def test_noreason_a_reason_phrase_may_be_empty() -> None:
    trying = response(valid.NOREASON)
    assert (trying.status, trying.reason) == (100, "")
