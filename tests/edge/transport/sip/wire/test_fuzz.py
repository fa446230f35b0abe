"""Nothing but ``MessageError`` comes out of any text, and what is written is read the same."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.transport.sip.wire.digest import Credentials, DigestClient, DigestServer
from edge.transport.sip.wire.grammar import quote, split_outside, to_bytes, to_text, unquote
from edge.transport.sip.wire.headers import Headers
from edge.transport.sip.wire.message import Request, parse_message
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.wire.torture import invalid, layers, valid
from tests.fuzz import wire

PIECES = [
    *(
        b"SIP/2.0",
        b"SIP/2.0/UDP ",
        b"INVITE",
        b"ACK",
        b"sip:",
        b"sips:",
        b"tel:",
        b"a@h",
        b"h:5060",
    ),
    *(b"[::1]", b"\r\n", b"\r\n ", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b",", b";", b"="),
    *(
        b'"',
        b'\\"',
        b"\\",
        b"<",
        b">",
        b":",
        b"@",
        b"?",
        b"&",
        b"%",
        b"%00",
        b"%ff",
        b"/",
        b"(",
        b")",
    ),
    *(
        b"Via: ",
        b"v:",
        b"From: ",
        b"To: ",
        b"i: ",
        b"CSeq: 1 INVITE",
        b"Content-Length: 0",
        b"l: 5",
    ),
    *(
        b"Contact: ",
        b"Route: ",
        b"tag=1",
        b"branch=z9hG4bK1",
        b"to-tag=a",
        b"from-tag=b",
        b"cause=1",
    ),
    *(b"Digest ", b'realm="r"', b'nonce="n"', b"qop=auth", b"algorithm=", b"MD5", b"SHA-256"),
    *(b'username="u"', b"username*=UTF-8''", b'uri="u"', b'response="0"', b"nc=00000001"),
    *(b'cnonce="c"', b"encoding=hex", b"00ff", b"200", b"\xff", "é".encode(), "\u2028".encode()),
]
NAMES = ("WSINV", "INTMETH", "ESC01", "LONGREQ", "MPART01", "UNREASON", "DBLREQ")
MESSAGES = [
    *(getattr(valid, name) for name in NAMES),
    *(invalid.BADINV01, invalid.SCALAR02, invalid.QUOTBAL, layers.MULTI01, layers.MCL01),
]

pieces = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=40).map(b"".join)
anything = pieces | st.binary(max_size=500)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A message with a few places overwritten, cut out or filled in."""
    data: bytes = draw(st.sampled_from(MESSAGES))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 20))
        data = data[:at] + draw(pieces.map(lambda some: some[:60])) + data[at + gone :]
    return data


few = settings(deadline=None, max_examples=150)


@few
@given(spoiled() | anything)
@example(valid.WSINV)
def test_any_datagram_is_read_or_refused(data: bytes) -> None:
    wire.message(data)


@few
@given(st.lists(spoiled() | anything | st.sampled_from(MESSAGES), max_size=4).map(b"".join))
@example(b"\x05" + valid.DBLREQ + valid.DBLREQ_FIRST)
def test_any_stream_is_cut_the_same_way_however_it_is_divided(data: bytes) -> None:
    wire.stream(data)


@settings(deadline=None, max_examples=400)
@given(anything)
def test_any_value_is_read_or_refused(data: bytes) -> None:
    wire.values(data)


@settings(deadline=None, max_examples=300)
@given(anything | pieces.map(lambda some: b'Digest realm="r", nonce="n", ' + some))
def test_any_challenge_and_any_answer_is_read_or_refused(data: bytes) -> None:
    wire.digest(data)


@few
@given(st.text(), st.sampled_from(",;"))
def test_quoting_hides_everything(text: str, separator: str) -> None:
    assert unquote(quote(text)) == text
    assert split_outside(f"{quote(text)}{separator}x", separator) == [quote(text), "x"]


@few
@given(st.binary())
def test_any_bytes_survive_as_text(data: bytes) -> None:
    assert to_bytes(to_text(data)) == data


@few
@given(st.text(), st.text(min_size=1))
def test_any_user_and_display_name_can_be_written(user: str, display: str) -> None:
    uri = SipUri("h", to_text(to_bytes(user)))
    if len(str(uri)) < 1000:
        assert SipUri.parse(str(uri)) == uri
        assert NameAddr.parse(str(NameAddr(str(uri), display))).display == display


@few
@given(st.text(), st.text(), st.binary(max_size=50))
def test_no_value_changes_what_else_is_in_a_message(value: str, uri: str, body: bytes) -> None:
    request = Request(
        "INVITE",
        "sip:h",
        headers=Headers(
            [
                ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"),
                ("From", "<sip:a>;tag=1"),
                ("Subject", value),
                ("To", str(NameAddr("sip:b", value))),
                ("Call-ID", "1"),
                ("CSeq", "1 INVITE"),
            ]
        ),
        body=body,
    )
    again = parse_message(request.encode())
    assert [name for name, _ in again.headers] == [
        *(name for name, _ in request.headers),
        "content-length",
    ]
    assert again.body == body
    hostile = Request("INVITE", uri, headers=request.headers)
    # A line each, the start line, Content-Length, and the empty one.
    assert hostile.encode().count(b"\r\n") == len(request.headers) + 3


@few
@given(st.text(min_size=1), st.text(), st.text(), st.binary())
def test_client_and_server_agree_on_any_name_and_password(
    username: str, password: str, realm: str, body: bytes
) -> None:
    server = DigestServer(realm, secret=b"s" * 32)
    headers = Headers(("www-authenticate", text) for text in server.challenge(1.0))
    if any(character in username + realm for character in "\r\n\0"):
        return  # what cannot be in a header
    credentials = Credentials(username, password)
    found = DigestClient().answer(headers, credentials, "INVITE", "sip:h", body)
    assert found is not None
    verdict = server.verify(found[1], "INVITE", {username: password}.get, 1.0)
    assert verdict.outcome == "ok"
