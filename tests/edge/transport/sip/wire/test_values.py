"""Via, CSeq and addresses."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.values import CSeq, NameAddr, Via


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP h", Via("UDP", "h")),
        (
            "SIP/2.0/udp h:5061;rport;branch=z9hG4bK1",
            Via("UDP", "h", 5061, {"rport": None, "branch": "z9hG4bK1"}),
        ),
        ("SIP / 2.0 / TLS\th : 5061 ; a = b", Via("TLS", "h", 5061, {"a": "b"})),
        ("SIP/2.0/TCP [::1]:5060", Via("TCP", "::1", 5060)),
        ("SIP/2.0/UDP h;received=[::1];", Via("UDP", "h", None, {"received": "[::1]"})),
    ],
)
def test_a_via_is_read(text: str, via: Via) -> None:
    assert Via.parse(text) == via
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        *("", "SIP", "SIP/2.0", "SIP/2.0/", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP//UDP h"),
        *("X/2.0/UDP h", "SIP/2.0/U,P h", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h;a=<"),
        *("SIP/2.0/UDP a/b", "/// /"),
    ],
)
def test_a_malformed_via_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Via.parse(text)


def test_a_via_keeps_its_parameters_when_one_is_set() -> None:
    via = Via.parse("SIP/2.0/UDP h;rport;branch=1").with_parameter("rport", "5060")
    assert str(via) == "SIP/2.0/UDP h;rport=5060;branch=1"
    assert via.sent_by == "h:"


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "1INVITE", "x INVITE", "-1 ACK", "2147483648 A"]
)
def test_a_malformed_cseq_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        CSeq.parse(text)


@pytest.mark.parametrize("text", ["1 A B", "1 A,B", "1 é", "٣ INVITE", "1" * 5000 + " A"])
def test_a_cseq_of_strange_letters_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        CSeq.parse(text)


def test_a_cseq_is_read_with_any_spaces() -> None:
    assert CSeq.parse(" 0001 \t INVITE ") == CSeq(1, "INVITE")
    assert str(CSeq(2147483647, "BYE")) == "2147483647 BYE"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:a@h;tag=1", NameAddr("sip:a@h", "", {"tag": "1"})),
        ("<sip:a@h;lr>;tag=1", NameAddr("sip:a@h;lr", "", {"tag": "1"})),
        ('"A \\"B\\" <c>, d;e" <sip:a@h>', NameAddr("sip:a@h", 'A "B" <c>, d;e')),
        ("A B <sip:a@h>;;TAG = 1 ;tag=2", NameAddr("sip:a@h", "A B", {"tag": "1"})),
        ('"" <sip:a@h>', NameAddr("sip:a@h")),
        ("<tel:+1>", NameAddr("tel:+1")),
        ("*", NameAddr("*")),
        ('<sip:h>;+x="<urn:1>"', NameAddr("sip:h", "", {"+x": '"<urn:1>"'})),
        ("caf\udce9 <sip:h>", NameAddr("sip:h", "caf\udce9")),
    ],
)
def test_an_address_is_read(text: str, address: NameAddr) -> None:
    assert NameAddr.parse(text) == address
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ";tag=1", "<>", "< >", "<sip:a", "sip:a>", '"a <sip:b>', "<sip:a> b", "a b"),
        *("<a b>", "<a><b>", '"a"', "sip:a?b=c", '"a" "<" <b>', "<a\nb>", "a\0"),
        "<" + "a" * 2000 + ">",
    ],
)
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        NameAddr.parse(text)


def test_a_display_name_that_came_from_elsewhere_cannot_leave_its_quotes() -> None:
    evil = NameAddr("sip:h", 'a" <sip:evil>;x="\\')
    assert NameAddr.parse(str(evil)) == evil


def test_a_tag_is_added_to_the_address() -> None:
    assert str(NameAddr("sip:h").with_tag("1")) == "<sip:h>;tag=1"
    assert NameAddr("sip:h").tag == ""
