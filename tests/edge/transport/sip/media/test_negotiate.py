"""Offer and answer with the shapes that real peers send."""

from __future__ import annotations

import pytest

from edge.transport.rtp.codec import Codec
from edge.transport.sip.media.agreement import Agreed, LocalMedia, MediaPolicy
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.negotiate import accept, answer, offer
from tests.edge.transport.sip.media import offers
from tests.edge.transport.sip.media.offers import KEY_30, KEY_44, sdp

POLICY = MediaPolicy()
PLAIN = MediaPolicy(srtp="off")


def local(host: str = "192.0.2.1") -> LocalMedia:
    return LocalMedia(host, 40_000, 40_001, session_id=7)


def answered(body: bytes, policy: MediaPolicy = POLICY) -> tuple[list[str], Agreed]:
    text, agreed = answer(body, local(), policy)
    return text.decode().split("\r\n"), agreed


def refusal(body: bytes, policy: MediaPolicy = POLICY) -> str:
    with pytest.raises(OfferError) as refused:
        answer(body, local(), policy)
    return refused.value.code


def test_a_cloud_trunk_is_answered_with_one_codec_and_its_own_telephone_event() -> None:
    lines, agreed = answered(offers.CLOUD_TRUNK)
    assert lines == [
        "v=0",
        "o=- 7 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 40000 RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]
    assert agreed == Agreed(
        codec=Codec("pcmu", 0),
        receive_types={0: Codec("pcmu", 0)},
        dtmf=(101, 8_000),
        dtmf_receive=101,
        comfort_noise=None,
        remote=("203.0.113.7", 15_326),
        remote_rtcp=("203.0.113.7", 15_327),
        rtcp_mux=False,
        sends=True,
        receives=True,
        held=False,
        ptime=20,
        crypto=None,
        protocol="RTP/AVP",
        layout=(None,),
    )


def test_an_encrypted_trunk_gets_a_key_back_under_its_own_tag() -> None:
    lines, agreed = answered(offers.CLOUD_TRUNK_SECURE)
    assert "m=audio 40000 RTP/SAVP 9 13 101" in lines
    assert agreed.codec == Codec("g722", 9)
    assert agreed.comfort_noise == 13
    assert agreed.crypto is not None
    assert agreed.crypto.suite == "AES_CM_128_HMAC_SHA1_80"
    assert agreed.crypto.receive_key == bytes(range(30))
    assert len(agreed.crypto.send_key) == 30
    [line] = [line for line in lines if line.startswith("a=crypto:")]
    assert line.startswith("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
    assert KEY_30 not in line


def test_keys_never_show_in_a_representation() -> None:
    _, agreed = answered(offers.CLOUD_TRUNK_SECURE)
    _, state = offer(local(), POLICY)
    assert agreed.crypto is not None
    for key in (agreed.crypto.receive_key, agreed.crypto.send_key, state.described.crypto[0].key):
        assert repr(key) not in repr(agreed) + repr(state)


def test_a_pbx_with_opus_is_spoken_to_in_opus_under_its_payload_type() -> None:
    lines, agreed = answered(offers.PBX)
    assert agreed.codec == Codec("opus", 107)
    assert agreed.dtmf == (101, 8_000)
    assert "a=rtpmap:107 opus/48000/2" in lines
    [fmtp] = [line for line in lines if line.startswith("a=fmtp:107 ")]
    for parameter in ("useinbandfec=1", "stereo=0", "maxaveragebitrate=24000"):
        assert parameter in fmtp


def test_static_payload_types_need_no_map() -> None:
    _, agreed = answered(offers.PBX_WITHOUT_MAPS)
    assert agreed.codec == Codec("pcma", 8)


def test_audio_is_taken_and_video_refused_in_its_place() -> None:
    lines, agreed = answered(offers.PHONE_WITH_VIDEO)
    media = [line for line in lines if line.startswith("m=")]
    assert media == ["m=audio 40000 RTP/AVPF 96 101", "m=video 0 RTP/AVPF 96"]
    assert agreed.codec == Codec("opus", 96)
    assert agreed.dtmf == (101, 48_000)


def test_the_telephone_event_of_the_codecs_clock_is_taken() -> None:
    _, agreed = answered(offers.PHONE_WITH_VIDEO, MediaPolicy(codecs=("pcmu",)))
    assert agreed.dtmf == (100, 8_000)
    assert agreed.dtmf_receive == 100


def test_a_key_on_a_plain_profile_is_taken_up_and_answered_on_that_profile() -> None:
    lines, agreed = answered(offers.SOFTPHONE)
    assert "m=audio 40000 RTP/AVP 0 101" in lines
    assert agreed.crypto is not None
    assert agreed.crypto.suite == "AES_CM_128_HMAC_SHA1_32"
    assert agreed.rtcp_mux
    assert agreed.remote_rtcp == agreed.remote == ("198.51.100.5", 21_450)
    assert "a=rtcp-mux" in lines


def test_a_key_on_a_plain_profile_is_left_alone_when_policy_turns_srtp_off() -> None:
    lines, agreed = answered(offers.SOFTPHONE, PLAIN)
    assert agreed.crypto is None
    assert not [line for line in lines if line.startswith("a=crypto")]


def test_a_softphone_that_ends_lines_with_a_line_feed_is_understood() -> None:
    _, agreed = answered(offers.CHEAP_SOFTPHONE)
    assert agreed.codec == Codec("pcma", 8)


def test_of_two_audio_lines_the_encrypted_one_is_taken() -> None:
    lines, agreed = answered(offers.TWO_LINES)
    media = [line for line in lines if line.startswith("m=")]
    assert media == ["m=audio 40000 RTP/SAVP 0 101", "m=audio 0 RTP/AVP 0 8 101"]
    assert agreed.remote == ("192.0.2.30", 11_000)
    [line] = [line for line in lines if line.startswith("a=crypto:")]
    assert line.startswith("a=crypto:4 ")


def test_of_two_audio_lines_the_plain_one_is_taken_when_policy_turns_srtp_off() -> None:
    lines, agreed = answered(offers.TWO_LINES, PLAIN)
    media = [line for line in lines if line.startswith("m=")]
    assert media == ["m=audio 0 RTP/SAVP 0 8 101", "m=audio 40000 RTP/AVP 0 101"]
    assert agreed.remote == ("192.0.2.30", 11_002)


def test_an_encrypted_line_after_a_plain_one_is_still_the_one_taken() -> None:
    body = sdp(
        "m=audio 4000 RTP/AVP 0",
        "m=audio 4002 RTP/SAVP 0",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
    )
    _, agreed = answered(body)
    assert agreed.remote == ("192.0.2.10", 4_002)


@pytest.mark.parametrize("body", [offers.CLOUD_TRUNK, offers.PBX])
def test_a_plain_offer_is_refused_where_policy_requires_srtp(body: bytes) -> None:
    assert refusal(body, MediaPolicy(srtp="required")) == "srtp_required"


def test_an_encrypted_offer_is_refused_where_policy_turns_srtp_off() -> None:
    assert refusal(offers.CLOUD_TRUNK_SECURE, PLAIN) == "no_common_codec"


def test_an_encrypted_profile_without_a_usable_key_is_refused() -> None:
    body = sdp("m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA")
    assert refusal(body) == "srtp_required"


@pytest.mark.parametrize(
    "body",
    [
        offers.BROWSER,
        sdp("m=audio 4000 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000"),
        sdp("m=video 4000 RTP/AVP 96", "a=rtpmap:96 VP8/90000"),
        sdp("m=audio 0 RTP/AVP 0"),
        sdp("m=audio 4000 RTP/AVP 0", host="233.252.0.1/127"),
        sdp("m=audio 4000 RTP/AVP 0", host="ff15::101"),
        sdp("m=audio 4000 RTP/AVP 0", host="255.255.255.255"),
        sdp("m=audio 4000 udptl t38"),
        sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/6"),
        sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000/2"),
        sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"),
        sdp(),
    ],
    ids=[
        "dtls",
        "codec",
        "video",
        "port 0",
        "multicast",
        "multicast 6",
        "broadcast",
        "fax",
        "six channels",
        "stereo",
        "wide mu-law",
        "none",
    ],
)
def test_an_offer_without_an_audio_stream_for_us_is_refused(body: bytes) -> None:
    assert refusal(body) == "no_common_codec"


def test_the_offerers_order_decides_unless_policy_says_ours() -> None:
    assert answered(offers.SOFTPHONE)[1].codec.name == "pcmu"
    ours = MediaPolicy(codecs=("g722", "opus", "pcmu"), prefer="ours")
    assert answered(offers.SOFTPHONE, ours)[1].codec.name == "g722"
    assert answered(offers.SOFTPHONE, MediaPolicy(codecs=("pcma",)))[1].codec.name == "pcma"


def test_without_dtmf_in_the_policy_no_telephone_event_is_agreed() -> None:
    lines, agreed = answered(offers.CLOUD_TRUNK, MediaPolicy(dtmf=False))
    assert agreed.dtmf is None
    assert agreed.dtmf_receive is None
    assert "telephone-event" not in "".join(lines)


def test_comfort_noise_is_not_agreed_beside_opus() -> None:
    body = sdp("m=audio 4000 RTP/AVP 96 13", "a=rtpmap:96 opus/48000")
    lines, agreed = answered(body)
    assert agreed.codec == Codec("opus", 96)
    assert agreed.comfort_noise is None
    assert "m=audio 40000 RTP/AVP 96" in lines


@pytest.mark.parametrize(
    ("attribute", "host", "expected", "sends", "receives", "held"),
    [
        ("sendrecv", "192.0.2.10", "sendrecv", True, True, False),
        ("sendonly", "192.0.2.10", "recvonly", False, True, True),
        ("recvonly", "192.0.2.10", "sendonly", True, False, False),
        ("inactive", "192.0.2.10", "inactive", False, False, True),
        ("sendrecv", "0.0.0.0", "recvonly", False, True, True),
        ("inactive", "0.0.0.0", "inactive", False, False, True),
        ("sendrecv", "::", "recvonly", False, True, True),
    ],
)
def test_hold_is_understood_in_both_styles(
    attribute: str, host: str, expected: str, sends: bool, receives: bool, held: bool
) -> None:
    lines, agreed = answered(sdp("m=audio 4000 RTP/AVP 0", f"a={attribute}", host=host))
    assert f"a={expected}" in lines
    assert (agreed.sends, agreed.receives, agreed.held) == (sends, receives, held)
    assert (agreed.remote is None) == (host in ("0.0.0.0", "::"))


def test_a_direction_of_the_session_counts_where_the_stream_has_none() -> None:
    body = offers.CLOUD_TRUNK.replace(b"t=0 0\r\n", b"t=0 0\r\na=SendOnly\r\n")
    assert not answered(body)[1].held
    assert answered(body.replace(b"a=sendrecv\r\n", b""))[1].held


def test_a_hold_of_ours_is_answered_into_an_offer_that_would_talk() -> None:
    body, agreed = answer(offers.CLOUD_TRUNK, local(), POLICY, direction="sendonly")
    assert b"a=sendonly" in body
    assert (agreed.sends, agreed.receives, agreed.held) == (True, False, False)


def test_the_streams_own_address_counts_before_the_sessions() -> None:
    _, agreed = answered(sdp("m=audio 4000 RTP/AVP 0", "c=IN IP4 198.51.100.77"))
    assert agreed.remote == ("198.51.100.77", 4_000)


def test_a_name_for_an_address_leaves_the_first_packet_to_tell() -> None:
    _, agreed = answered(sdp("m=audio 4000 RTP/AVP 0", host="media.example.com"))
    assert agreed.remote is None
    assert agreed.sends
    assert not agreed.held


def test_a_private_address_is_taken_as_it_is() -> None:
    _, agreed = answered(sdp("m=audio 4000 RTP/AVP 0", host="10.1.2.3"))
    assert agreed.remote == ("10.1.2.3", 4_000)


@pytest.mark.parametrize(
    ("theirs", "ours"), [("2001:db8::10", "192.0.2.1"), ("192.0.2.10", "2001:db8::1")]
)
def test_an_address_of_another_family_is_refused_and_none_is_not(theirs: str, ours: str) -> None:
    with pytest.raises(OfferError) as refused:
        answer(sdp("m=audio 4000 RTP/AVP 0", host=theirs), local(ours), POLICY)
    assert refused.value.code == "no_common_codec"
    _, agreed = answer(sdp("m=audio 4000 RTP/AVP 0", host="0.0.0.0"), local(ours), POLICY)
    assert agreed.remote is None


def test_ipv6_is_answered_in_ipv6() -> None:
    body, agreed = answer(
        sdp("m=audio 4000 RTP/AVP 0", host="2001:db8::10"), local("2001:db8::1"), POLICY
    )
    assert b"c=IN IP6 2001:db8::1\r\n" in body
    assert b" IN IP6 2001:db8::1\r\ns=-" in body
    assert agreed.remote == ("2001:db8::10", 4_000)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("a=rtcp:5000", ("192.0.2.10", 5_000)),
        ("a=rtcp:5000 IN IP4 198.51.100.1", ("198.51.100.1", 5_000)),
        ("a=rtcp:5000 IN IP4 media.example.com", ("192.0.2.10", 5_000)),
        ("a=rtcp:0", ("192.0.2.10", 4_001)),
        ("a=rtcp:nonsense", ("192.0.2.10", 4_001)),
        ("a=rtcp", ("192.0.2.10", 4_001)),
        ("a=rtcp-mux", ("192.0.2.10", 4_000)),
    ],
)
def test_reports_go_where_the_offer_says(attribute: str, expected: tuple[str, int]) -> None:
    _, agreed = answered(sdp("m=audio 4000 RTP/AVP 0", attribute))
    assert agreed.remote_rtcp == expected


def test_there_is_no_report_port_after_the_last_port() -> None:
    _, agreed = answered(sdp("m=audio 65535 RTP/AVP 0"))
    assert agreed.remote == ("192.0.2.10", 65_535)
    assert agreed.remote_rtcp is None


def test_our_report_port_is_said_when_it_is_not_the_next_one() -> None:
    ours = LocalMedia("192.0.2.1", 40_000, 40_100)
    assert b"a=rtcp:40100\r\n" in answer(offers.CLOUD_TRUNK, ours, POLICY)[0]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (["a=ptime:30"], 30),
        (["a=ptime:30", "a=maxptime:20"], 20),
        (["a=ptime:0"], 20),
        (["a=ptime:1000"], 20),
        (["a=ptime:x"], 20),
        (["a=maxptime:0"], 20),
        ([], 20),
    ],
)
def test_packet_time_is_what_they_would_like_within_reason(
    attributes: list[str], expected: int
) -> None:
    assert answered(sdp("m=audio 4000 RTP/AVP 0", *attributes))[1].ptime == expected


def test_a_repeated_offer_keeps_id_version_and_keys() -> None:
    ours = local()
    first, agreed = answer(offers.CLOUD_TRUNK_SECURE, ours, POLICY)
    second, again = answer(offers.CLOUD_TRUNK_SECURE, ours, POLICY, agreed)
    assert first == second
    assert agreed == again


def test_a_changed_description_raises_the_version_by_one() -> None:
    ours = local()
    _, agreed = answer(offers.CLOUD_TRUNK, ours, POLICY)
    held, agreed = answer(
        offers.CLOUD_TRUNK.replace(b"sendrecv", b"sendonly"), ours, POLICY, agreed
    )
    assert b"o=- 7 2 IN" in held
    assert b"o=- 7 3 IN" in answer(offers.CLOUD_TRUNK, ours, POLICY, agreed)[0]


def test_a_new_key_of_theirs_leaves_ours_and_a_new_suite_changes_both() -> None:
    ours = local()
    _, first = answer(offers.CLOUD_TRUNK_SECURE, ours, POLICY)
    rekeyed = offers.CLOUD_TRUNK_SECURE.replace(KEY_30.encode(), KEY_30[::-1].encode())
    _, second = answer(rekeyed, ours, POLICY, first)
    assert first.crypto and second.crypto
    assert second.crypto.send_key == first.crypto.send_key
    assert second.crypto.receive_key != first.crypto.receive_key
    other = offers.CLOUD_TRUNK_SECURE.replace(
        f"AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}".encode(),
        f"AEAD_AES_256_GCM inline:{KEY_44}".encode(),
    )
    _, third = answer(other, ours, POLICY, second)
    assert third.crypto
    assert third.crypto.suite == "AEAD_AES_256_GCM"
    assert len(third.crypto.send_key) == 44


def test_an_offer_of_ours_says_every_codec_and_a_telephone_event_for_each_clock() -> None:
    body, _ = offer(local(), POLICY)
    assert b"m=audio 40000 RTP/AVP 111 9 0 8 13 110 101\r\n" in body
    assert b"a=rtpmap:110 telephone-event/48000\r\n" in body
    assert b"a=rtpmap:101 telephone-event/8000\r\n" in body
    assert body.count(b"a=crypto:") == 2
    # An INVITE has about 600 bytes of headers, and must stay under 1300.
    assert len(body) < 700


@pytest.mark.parametrize(
    ("srtp", "protocol", "keys"),
    [("off", b"RTP/AVP", 0), ("optional", b"RTP/AVP", 2), ("required", b"RTP/SAVP", 4)],
)
def test_policy_decides_the_profile_and_keys_of_an_offer(
    srtp: str, protocol: bytes, keys: int
) -> None:
    policy = MediaPolicy(codecs=("pcmu",), srtp=srtp)  # type: ignore[arg-type]
    body, _ = offer(local(), policy)
    assert b"m=audio 40000 " + protocol + b" 0 13 101\r\n" in body
    assert body.count(b"a=crypto:") == keys


@pytest.mark.parametrize("srtp", ["off", "optional", "required"])
@pytest.mark.parametrize("codec", ["opus", "g722", "pcmu", "pcma"])
def test_what_we_offer_we_can_answer_and_both_sides_agree(srtp: str, codec: str) -> None:
    policy = MediaPolicy(srtp=srtp)  # type: ignore[arg-type]
    far_policy = MediaPolicy(codecs=(codec,), srtp=srtp)  # type: ignore[arg-type]
    body, state = offer(local(), policy)
    reply, far = answer(body, LocalMedia("192.0.2.2", 50_000, 50_001), far_policy)
    near = accept(state, reply)
    assert near.codec == far.codec
    assert near.codec.name == codec
    assert near.dtmf == far.dtmf
    assert near.dtmf is not None
    assert near.dtmf[1] == near.codec.clock_rate
    assert near.remote == ("192.0.2.2", 50_000)
    assert far.remote == ("192.0.2.1", 40_000)
    assert near.rtcp_mux and far.rtcp_mux
    assert (near.crypto is None) == (far.crypto is None) == (srtp == "off")
    if near.crypto is not None and far.crypto is not None:
        assert near.crypto.suite == far.crypto.suite == "AEAD_AES_256_GCM"
        assert near.crypto.send_key == far.crypto.receive_key
        assert near.crypto.receive_key == far.crypto.send_key


def test_an_answer_is_sent_to_by_its_payload_types_and_heard_by_ours() -> None:
    _, state = offer(local(), PLAIN)
    agreed = accept(
        state,
        sdp(
            "m=audio 4000 RTP/AVP 96 97",
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:97 telephone-event/48000",
        ),
    )
    assert agreed.codec == Codec("opus", 96)
    assert agreed.receive_types[111] == Codec("opus", 111)
    assert agreed.dtmf == (97, 48_000)
    assert agreed.dtmf_receive == 110


def test_an_answer_that_leaves_out_the_maps_means_what_was_offered() -> None:
    _, state = offer(local(), PLAIN)
    agreed = accept(state, sdp("m=audio 4000 RTP/AVP 111 110"))
    assert agreed.codec == Codec("opus", 111)
    assert agreed.dtmf == (110, 48_000)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (sdp("m=audio 0 RTP/AVP 0"), "no_common_codec"),
        (sdp("m=audio 4000 RTP/AVP 18"), "no_common_codec"),
        (sdp("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), "no_common_codec"),
        (sdp(), "no_common_codec"),
        (sdp("m=audio 4000 RTP/SAVP 0"), "srtp_required"),
        (b"v=0\r\nm=audio\r\n", "bad_sdp"),
        (b"", "bad_sdp"),
    ],
)
def test_an_answer_that_cannot_be_taken_says_why(body: bytes, code: str) -> None:
    _, state = offer(local(), MediaPolicy(codecs=("pcmu",)))
    with pytest.raises(OfferError) as refused:
        accept(state, body)
    assert refused.value.code == code


def test_a_plain_answer_is_refused_where_policy_requires_srtp() -> None:
    plain, _ = answer(offers.CLOUD_TRUNK, local(), PLAIN)
    _, required = offer(local(), MediaPolicy(srtp="required"))
    _, optional = offer(local(), POLICY)
    assert accept(optional, plain).crypto is None
    with pytest.raises(OfferError) as refused:
        accept(required, plain)
    assert refused.value.code == "srtp_required"


def test_a_required_encryption_is_not_lost_in_a_later_answer() -> None:
    required = MediaPolicy(srtp="required")
    _, agreed = answer(offers.SOFTPHONE, local(), required)
    body, state = offer(local(), required, previous=agreed)
    assert b"m=audio 40000 RTP/AVP 0 101\r\n" in body
    with pytest.raises(OfferError) as refused:
        accept(state, sdp("m=audio 4000 RTP/AVP 0 101"))
    assert refused.value.code == "srtp_required"


def test_a_suite_that_we_did_not_offer_is_no_key() -> None:
    _, agreed = answer(offers.CLOUD_TRUNK_SECURE, local(), POLICY)
    _, state = offer(local(), POLICY, previous=agreed)
    body = sdp("m=audio 4000 RTP/SAVP 9", f"a=crypto:1 AEAD_AES_256_GCM inline:{KEY_44}")
    with pytest.raises(OfferError) as refused:
        accept(state, body)
    assert refused.value.code == "srtp_required"


def test_our_hold_offers_what_stands_with_its_payload_types_and_keys() -> None:
    ours = local()
    _, agreed = answer(offers.PHONE_WITH_VIDEO, ours, POLICY)
    body, state = offer(ours, POLICY, "sendonly", agreed)
    lines = body.decode().split("\r\n")
    media = [line for line in lines if line.startswith("m=")]
    assert media == ["m=audio 40000 RTP/AVPF 96 101", "m=video 0 RTP/AVPF 96"]
    assert "a=sendonly" in lines
    assert "o=- 7 2 IN IP4 192.0.2.1" in lines
    held = accept(state, sdp("m=audio 7078 RTP/AVPF 96 101", "a=recvonly", "m=video 0 RTP/AVPF 96"))
    assert (held.sends, held.receives, held.held) == (True, False, False)
    assert held.layout == agreed.layout


def test_an_encrypted_call_is_offered_anew_under_the_same_key() -> None:
    ours = local()
    body, state = offer(ours, POLICY)
    reply, _ = answer(body, LocalMedia("192.0.2.2", 50_000, 50_001), POLICY)
    agreed = accept(state, reply)
    assert agreed.crypto
    again, state = offer(ours, POLICY, "inactive", agreed)
    [line] = [line for line in again.split(b"\r\n") if line.startswith(b"a=crypto:")]
    assert line in [b"a=crypto:" + str(key).encode() for key in state.described.crypto]
    assert state.described.crypto[0].key == agreed.crypto.send_key


def test_an_answer_that_holds_us_is_seen_as_hold() -> None:
    _, state = offer(local(), PLAIN)
    agreed = accept(state, sdp("m=audio 4000 RTP/AVP 0", "a=sendonly"))
    assert (agreed.sends, agreed.receives, agreed.held) == (False, True, True)
