"""The reader of descriptions: what it forgives, what it bounds, and that it is quick."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.sip.media.agreement import LocalMedia, MediaPolicy
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.negotiate import answer
from edge.transport.sip.media.sdp import MAX_BYTES, RtpMap, parse, parse_address, parse_number
from tests.edge.transport.sip.media import offers
from tests.edge.transport.sip.media.offers import sdp
from tests.fuzz import description

LOCAL = LocalMedia("192.0.2.1", 40_000, 40_001)


def problem(body: bytes) -> str:
    with pytest.raises(OfferError) as refused:
        parse(body)
    return refused.value.code


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_any_line_end_will_do(end: str) -> None:
    body = offers.PBX.replace(b"\r\n", end.encode())
    assert parse(body) == parse(offers.PBX)


def test_space_and_case_do_not_matter() -> None:
    body = b"\n".join(
        [
            b"V=0",
            b" c = IN  IP4  192.0.2.9 ",
            b"M=AUDIO  4000/2\tRTP/AVP   96  0",
            b"A = RTPMAP: 96  Opus / 48000 / 2",
            b"a=RECVONLY ",
            b"no equals sign",
            b"",
        ]
    )
    [section] = parse(body).sections
    assert (section.kind, section.port, section.formats) == ("audio", 4_000, ("96", "0"))
    assert section.connection == "192.0.2.9"
    assert section.direction == "recvonly"
    assert section.rtpmaps() == {96: RtpMap("opus", 48_000, 2)}


def test_the_first_of_two_maps_or_addresses_counts() -> None:
    [section] = parse(
        sdp(
            "m=audio 4000 RTP/AVP 96",
            "c=IN IP4 192.0.2.1",
            "c=IN IP4 192.0.2.2",
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:96 PCMU/8000",
        )
    ).sections
    assert section.connection == "192.0.2.1"
    assert section.rtpmaps()[96].encoding == "opus"


@pytest.mark.parametrize(
    "value", ["", "96", "96 opus", "96 opus/x", "96 /8000", "128 a/8000", "96 a/8000/1/1", "-1 a/1"]
)
def test_a_malformed_map_is_passed_over(value: str) -> None:
    [section] = parse(sdp("m=audio 4000 RTP/AVP 96", f"a=rtpmap:{value}")).sections
    assert section.rtpmaps() == {}


def test_a_packet_time_of_the_session_counts_for_its_streams() -> None:
    [section] = parse(sdp("a=ptime:30", "m=audio 4000 RTP/AVP 0")).sections
    assert section.value("ptime") == "30"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 100,
        b"m=audio 4000 RTP/AVP 0\r\n",
        b"v=1\r\nm=audio 4000 RTP/AVP 0\r\n",
        sdp("m="),
        sdp("m=audio"),
        sdp("m=audio 4000"),
        sdp("m=audio x RTP/AVP 0"),
        sdp("m=audio 65536 RTP/AVP 0"),
        sdp("m=audio 4000 RTP/\u00c4VP 0"),
        sdp("m=audio 4000 RTP/AVP \x1b[2J"),
        sdp("m=audio 4000 RTP/AVP " + "0 " * 129),
        sdp(*["m=audio 4000 RTP/AVP 0"] * 33),
        sdp("m=audio 4000 RTP/AVP 0", *["a=x"] * 1_000),
        sdp("m=audio 4000 RTP/AVP 0", "a=" + "x" * MAX_BYTES),
    ],
)
def test_what_is_no_description_or_too_much_of_one_is_refused(body: bytes) -> None:
    assert problem(body) == "bad_sdp"


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "\u0661", "\u00b2", "9" * 5_000, "128", "1_0"]
)
def test_a_number_is_plain_digits_in_range(text: str) -> None:
    assert parse_number(text, 127) is None


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "fe80::1%eth0", "1.2.3.4.5", "::g"])
def test_only_a_plain_numeric_address_is_one(text: str) -> None:
    assert parse_address(text) is None


LINES = st.sampled_from(
    [line for body in offers.ALL for line in body.replace(b"\r", b"").split(b"\n") if line]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Real lines in any order, some broken."""
    lines = draw(st.lists(LINES, max_size=30))
    for _ in range(draw(st.integers(0, 4))):
        if lines:
            index = draw(st.integers(0, len(lines) - 1))
            cut = draw(st.integers(0, len(lines[index])))
            lines[index] = (
                lines[index][:cut] + draw(st.binary(max_size=8)) + lines[index][cut + 1 :]
            )
    return draw(st.sampled_from([b"", b"v=0\r\n"])) + b"\r\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(body=st.one_of(bodies(), st.binary(max_size=300)))
def test_whatever_comes_it_is_answered_or_refused(body: bytes) -> None:
    for target in description.TARGETS.values():
        target(body)


def _padded(*lines: str) -> bytes:
    """As near to 64 KB of them as the reader's bound on lines lets through."""
    unit = "\r\n".join(lines) + "\r\n"
    times = min((MAX_BYTES - 200) // len(unit), 990 // len(lines))
    return sdp("m=audio 4000 RTP/SAVP 0") + (unit * times).encode()


HEAVY = {
    "attributes": _padded("a=" + "x" * 60),
    "maps": _padded("a=rtpmap:96 opus/48000/2" + " " * 38),
    "crypto": _padded("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 22),
    "connections": _padded("c=IN IP4 192.0.2.1" + " " * 40),
    "one long attribute": sdp("m=audio 4000 RTP/AVP 0", "a=rtpmap:96 " + "/" * 65_000),
    "one long map": sdp("m=audio 4000 RTP/AVP 0", "a=rtpmap:96 x" + " /" * 32_000),
    "one long media line": sdp("m=audio 4000 RTP/AVP " + "0 " * 32_000),
    "one long crypto line": sdp("m=audio 4000 RTP/AVP 0", "a=crypto:1 X inline:" + "|" * 65_000),
    "one long number": sdp("m=audio " + "1" * 65_000 + " RTP/AVP 0"),
    "one long address": sdp("m=audio 4000 RTP/AVP 0", host="1." * 16_000),
    "line feeds": b"v=0" + b"\n" * 65_000,
    "equals": b"v=0\n" + b"=" * 65_000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_64_kilobytes_are_read_in_less_than_20_ms(name: str) -> None:
    body = HEAVY[name]
    assert len(body) <= MAX_BYTES

    def spent() -> float:
        start = time.process_time()
        with contextlib.suppress(OfferError):
            answer(body, LOCAL, MediaPolicy())
        return time.process_time() - start

    assert min(spent() for _ in range(5)) < 0.020
