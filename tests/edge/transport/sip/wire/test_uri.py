"""SIP URIs (RFC 3261 section 19.1)."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import MAX_URI, SipUri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:example.com", SipUri("example.com")),
        ("SIPS:Bob@EXAMPLE.com:5061", SipUri("example.com", "Bob", 5061, "sips")),
        (
            "sip:+1-212;ext=2@h;User=phone",
            SipUri("h", "+1-212;ext=2", parameters={"user": "phone"}),
        ),
        ("sip:a:secret@h", SipUri("h", "a")),
        ("sip:a%20%C3%A9@h", SipUri("h", "a é")),
        ("sip:a%ff@h", SipUri("h", "a\udcff")),
        ("sip:[2001:DB8::1]:5062", SipUri("2001:db8::1", None, 5062)),
        ("sip:h:", SipUri("h")),
        ("sip:@h", SipUri("h", "")),
        ("sip:a?b@h", SipUri("h", "a?b")),
        ("sip:a@h;lr?x=y@z", SipUri("h", "a", parameters={"lr": None}, headers="x=y@z")),
        ("sip:h?x=y", SipUri("h", headers="x=y")),
        ("sip:me@home@h", SipUri("h", "me@home")),
        (" sip:h ", SipUri("h")),
    ],
)
def test_a_uri_is_read(text: str, uri: SipUri) -> None:
    assert SipUri.parse(text) == uri
    assert SipUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "sip:",
        "sip:@",
        "sip:a b@h",
        "sip:a@h\r\nVia: x",
        "sip:a@h\0",
        "sip:<a>@h",
        'sip:"a"@h',
        "sip:h:0",
        "sip:h:65536",
        "sip:h:٣",
        "sip:h:5060:1",
        "sip:[::1",
        "sip:[fe80::1%eth0]",
        "sip:[::1]x",
        "sip:::1",
        "sip:h\N{KELVIN SIGN}",
        "sip:" + "h" * 256,
        "sip:h" + ";a" * 200,
    ],
)
def test_a_malformed_uri_is_refused(text: str) -> None:
    with pytest.raises(MessageError) as raised:
        SipUri.parse(text)
    assert raised.value.status in (400, 513)


@pytest.mark.parametrize("text", ["tel:+1", "", "sip", "http://h", "sipx:h"])
def test_another_scheme_is_416(text: str) -> None:
    with pytest.raises(MessageError) as raised:
        SipUri.parse(text)
    assert raised.value.status == 416


def test_a_long_uri_is_414() -> None:
    with pytest.raises(MessageError) as raised:
        SipUri.parse("sip:" + "a" * MAX_URI)
    assert raised.value.status == 414


@pytest.mark.parametrize(
    ("text", "transport"),
    [
        ("sip:h", "udp"),
        ("sip:h;transport=TCP", "tcp"),
        ("sip:h;transport=tls", "tls"),
        ("sips:h;transport=tcp", "tls"),
        ("sip:h;transport", "udp"),
    ],
)
def test_the_transport_follows_from_parameter_and_scheme(text: str, transport: str) -> None:
    assert SipUri.parse(text).transport == transport


def test_a_user_that_came_from_elsewhere_cannot_leave_its_place() -> None:
    evil = SipUri("h", "a@b>\r\nVia: x\ud800")
    assert str(evil) == "sip:a%40b%3E%0D%0AVia%3A%20x?@h"
    assert SipUri.parse(str(evil)).host == "h"
