"""What is taken from an SDP, what is refused, and what is answered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.rtp.codec import Codec
from edge.transport.webrtc import sdp, sdp_text
from edge.transport.webrtc.errors import IceRestartUnsupported, OfferError
from edge.transport.webrtc.sdp import DataSection, Fingerprint, parse_answer, parse_offer
from edge.transport.webrtc.sdp_text import Local

PRINT = ":".join(["AB"] * 32)

# The shape of a Chromium offer, shortened.
OFFER = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS s
m=audio 54321 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110
c=IN IP4 192.0.2.1
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 5d2b.local 54321 typ host generation 0 network-cost 999
a=end-of-candidates
a=ice-ufrag:aB3+
a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:s t
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=ssrc:1 cname:c
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:aB3+
a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")

LOCAL = Local(
    host="203.0.113.5",
    port=7101,
    ufrag="ours",
    password="p" * 22,
    fingerprint=Fingerprint("sha-256", PRINT),
    setup="active",
    ssrc=42,
)

HEADER, _, SECTIONS = OFFER.partition("m=audio")
AUDIO = "m=audio" + SECTIONS.partition("m=application")[0]
DATA = "m=application" + SECTIONS.partition("m=application")[2]


def without(prefix: str, text: str = OFFER) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith(prefix))


def answered(text: str, direction: sdp.Direction = "sendrecv") -> list[str]:
    return sdp_text.answer(parse_offer(text), LOCAL, direction=direction).splitlines()


def test_a_browser_offer_is_understood() -> None:
    offer = parse_offer(OFFER)
    assert offer.codec == Codec("opus", 111)
    assert (offer.audio, offer.data, offer.direction, offer.bundled) == (0, 1, "sendrecv", True)
    assert offer.data_section == DataSection(5000, 262_144)
    assert offer.transport.ufrag == "aB3+"
    assert offer.transport.setup == "actpass"
    assert offer.transport.fingerprints == (Fingerprint("sha-256", PRINT),)


def test_session_level_transport_attributes_are_inherited() -> None:
    common = "".join(
        line
        for line in AUDIO.splitlines(True)
        if line.startswith(("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup"))
    )
    stripped = AUDIO + DATA
    for line in common.splitlines(True):
        stripped = stripped.replace(line, "")
    assert parse_offer(HEADER + common + stripped).transport == parse_offer(OFFER).transport


def test_the_first_codec_that_we_speak_is_chosen() -> None:
    pcmu_first = OFFER.replace("SAVPF 111 63 9 0", "SAVPF 63 9 0 111")
    assert parse_offer(pcmu_first).codec == Codec("pcmu", 0)


def test_pcmu_needs_no_rtpmap() -> None:
    text = without("a=rtpmap", OFFER.replace("SAVPF 111 63 9 0 8 13 110", "SAVPF 0"))
    assert parse_offer(text).codec == Codec("pcmu", 0)


def test_an_audio_section_behind_video_is_found() -> None:
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n"
    offer = parse_offer(HEADER + video + AUDIO + DATA)
    assert (offer.audio, offer.data) == (1, 2)


def test_a_data_section_outside_the_bundle_is_refused_but_the_call_is_not() -> None:
    lines = answered(OFFER.replace("BUNDLE 0 1", "BUNDLE 0"))
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel" in lines
    assert "a=group:BUNDLE 0" in lines


def test_the_answer_is_one_bundle_with_our_codec_settings() -> None:
    lines = answered(OFFER)
    assert lines[:5] == [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
    ]
    assert "m=audio 7101 UDP/TLS/RTP/SAVPF 111" in lines
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;maxaveragebitrate=24000" in lines
    assert lines.count("a=candidate:1 1 udp 2130706431 203.0.113.5 7101 typ host") == 2
    assert lines.count("a=end-of-candidates") == 2
    assert "a=max-message-size:16384" in lines
    assert not any("generation" in line for line in lines)


@pytest.mark.parametrize(
    ("offered", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_the_direction_is_mirrored(offered: str, ours: sdp.Direction) -> None:
    offer = parse_offer(OFFER.replace("a=sendrecv", f"a={offered}"))
    assert sdp_text.answer_direction(offer.direction) == ours
    text = sdp_text.answer(offer, LOCAL, direction=ours)
    assert f"a={ours}\r\n" in text
    assert ("a=ssrc:42" in text) == (ours in ("sendrecv", "sendonly"))


def test_our_offer_and_our_answer_understand_each_other() -> None:
    offer = parse_offer(
        sdp_text.offer(Codec("pcmu", 0), LOCAL, direction="recvonly").replace(
            "a=setup:active", "a=setup:actpass"
        )
    )
    assert (offer.codec, offer.direction, offer.data) == (Codec("pcmu", 0), "recvonly", 1)
    answer = parse_answer(sdp_text.answer(offer, LOCAL, direction="sendonly"))
    assert answer.transport.candidate == ("203.0.113.5", 7101)
    assert answer.transport.setup == "active"


REFUSED = {
    "empty": ("", "empty"),
    "not SDP": ("hello", "line 1"),
    "JSON": ('{"sdp": "v=0"}', "line 1"),
    "no v=0 first": (OFFER.replace("v=0\r\n", ""), "v=0"),
    "another version": (OFFER.replace("v=0", "v=1"), "v=0"),
    "a line without =": (OFFER + "nonsense\r\n", "line"),
    "NUL": (OFFER.replace("s=-", "s=\x00"), "line 3"),
    "no sections": (HEADER, "no audio section"),
    "data only": (HEADER + DATA, "no audio section"),
    "audio rejected": (OFFER.replace("m=audio 54321", "m=audio 0"), "no audio section"),
    "no ufrag": (without("a=ice-ufrag"), "ice-ufrag"),
    "short ufrag": (OFFER.replace("aB3+", "aB3"), "ice-ufrag"),
    "ufrag with spaces": (OFFER.replace("aB3+", "a B3+"), "ice-ufrag"),
    "no password": (without("a=ice-pwd"), "ice-pwd"),
    "short password": (OFFER.replace("a" * 24, "a" * 21), "ice-pwd"),
    "no fingerprint": (without("a=fingerprint"), "fingerprint"),
    "MD5 fingerprint": (OFFER.replace("sha-256", "md5"), "fingerprint"),
    "fingerprint is not hex": (OFFER.replace("AB:AB", "XY:AB", 1), "fingerprint"),
    "no setup": (without("a=setup"), "setup"),
    "holdconn": (OFFER.replace("actpass", "holdconn"), "setup"),
    "no rtcp-mux": (without("a=rtcp-mux"), "rtcp-mux"),
    "plain RTP": (OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "SRTP"),
    "mid is not a token": (OFFER.replace("a=mid:0", "a=mid:0 1"), "mid"),
    "mid twice": (OFFER.replace("a=mid:1", "a=mid:0"), "same a=mid"),
    "malformed m-line": (OFFER.replace("m=audio 54321", "m=audio x"), "m-line 1"),
    "format is not a token": (OFFER.replace("SAVPF 111", "SAVPF <b>"), "formats"),
    "malformed rtpmap": (OFFER.replace("opus/48000/2", "opus"), "rtpmap"),
    "malformed sctp-port": (OFFER.replace("sctp-port:5000", "sctp-port:x"), "sctp-port"),
    "sctp-port out of range": (OFFER.replace("sctp-port:5000", "sctp-port:70000"), "sctp-port"),
    "malformed message size": (OFFER.replace("262144", "lots"), "max-message-size"),
    "ICE-lite": (OFFER.replace("t=0 0", "t=0 0\r\na=ice-lite"), "lite"),
    "too many m-lines": (OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 7, "8 m-lines"),
    "over 64 KiB": (OFFER + "a=x:" + "y" * 65_536, "64 KiB"),
    "over 64 KiB in UTF-8": (OFFER + "a=x:" + "é" * 40_000, "64 KiB"),
    "too many lines": (OFFER + "a=x\r\n" * 2001, "lines"),
    "lone surrogate": ("v=0\r\n\ud800", "line 2"),
}


@pytest.mark.parametrize(("text", "detail"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_offer_is_refused_with_what_is_wrong(text: str, detail: str) -> None:
    with pytest.raises(OfferError) as refused:
        parse_offer(text)
    assert refused.value.code == "bad_sdp"
    assert detail in refused.value.detail


@pytest.mark.parametrize("formats", ["9 8 13", "63", "96 97"])
def test_an_offer_without_opus_and_pcmu_has_no_common_codec(formats: str) -> None:
    text = OFFER.replace("SAVPF 111 63 9 0 8 13 110", f"SAVPF {formats}")
    with pytest.raises(OfferError) as refused:
        parse_offer(text)
    assert refused.value.code == "no_common_codec"


def test_opus_at_another_clock_is_not_opus() -> None:
    text = OFFER.replace("opus/48000/2", "opus/16000").replace(" 0 8 13", " 8 13")
    with pytest.raises(OfferError) as refused:
        parse_offer(text)
    assert refused.value.code == "no_common_codec"


def test_an_answer_must_have_chosen_a_dtls_role() -> None:
    with pytest.raises(OfferError, match="setup"):
        parse_answer(OFFER)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_an_offer_error_or_still_an_offer(data: st.DataObject) -> None:
    lines = OFFER.splitlines(True)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "repeat", "cut", "insert", "noise"])):
            case "drop":
                lines[at] = ""
            case "repeat":
                lines[at] *= 2
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "insert":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at] += lines[other]
            case _:
                lines[at] = lines[at][:5] + data.draw(st.text(max_size=20)) + "\r\n"
    try:
        offer = parse_offer("".join(lines))
    except OfferError as error:
        assert error.detail.isprintable()
        return
    text = sdp_text.answer(offer, LOCAL, direction="sendrecv")
    assert text.count("m=") == len(offer.sections)
    assert all(line[1] == "=" and line.isprintable() for line in text.splitlines())


def test_a_trickle_fragment_of_the_same_generation_is_taken() -> None:
    fragment = "a=ice-ufrag:aB3+\r\na=ice-pwd:x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    sdp.check_fragment(fragment + "a=candidate:1 1 udp 1 x.local 9 typ host\r\n", "aB3+")
    sdp.check_fragment("a=end-of-candidates\r\n", "aB3+")


def test_a_fragment_with_another_ufrag_is_a_restart() -> None:
    with pytest.raises(IceRestartUnsupported):
        sdp.check_fragment("a=ice-ufrag:else\r\n", "aB3+")


@pytest.mark.parametrize("fragment", ["garbage", "a=x\r\n" * 3000, "a=" + "x" * 70_000])
def test_a_malformed_fragment_is_refused(fragment: str) -> None:
    with pytest.raises(OfferError):
        sdp.check_fragment(fragment, "aB3+")
