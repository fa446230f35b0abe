"""Offers in the shapes that real peers send, with addresses of the documentation ranges."""

from __future__ import annotations

import base64

KEY_30 = base64.b64encode(bytes(range(30))).decode()
KEY_44 = base64.b64encode(bytes(range(44))).decode()


def sdp(*lines: str, host: str = "192.0.2.10") -> bytes:
    """A description of one peer with ``lines`` after its head."""
    family = "IP6" if ":" in host else "IP4"
    head = ("v=0", f"o=- 1 1 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0")
    return "\r\n".join([*head, *lines, ""]).encode()


CLOUD_TRUNK = b"""v=0\r
o=root 1583472923 1583472923 IN IP4 203.0.113.7\r
s=call\r
c=IN IP4 203.0.113.7\r
t=0 0\r
m=audio 15326 RTP/AVP 0 8 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=silenceSupp:off - - - -\r
a=ptime:20\r
a=maxptime:150\r
a=sendrecv\r
"""

CLOUD_TRUNK_SECURE = f"""v=0\r
o=- 1709 1709 IN IP4 203.0.113.9\r
s=media\r
c=IN IP4 203.0.113.9\r
t=0 0\r
m=audio 31514 RTP/SAVP 9 8 0 101 13\r
a=rtpmap:9 G722/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=rtpmap:13 CN/8000\r
a=rtcp:31515 IN IP4 203.0.113.9\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}\r
a=ptime:20\r
""".encode()

PBX = b"""v=0\r
o=- 1268437127 1268437127 IN IP4 192.0.2.20\r
s=PBX\r
c=IN IP4 192.0.2.20\r
t=0 0\r
m=audio 11732 RTP/AVP 107 9 0 8 101\r
a=rtpmap:107 opus/48000/2\r
a=fmtp:107 useinbandfec=1\r
a=rtpmap:9 G722/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=maxptime:20\r
a=sendrecv\r
"""

PBX_WITHOUT_MAPS = b"""v=0\r
o=PBX 386137 386138 IN IP4 192.0.2.21\r
s=PBX Call\r
c=IN IP4 192.0.2.21\r
t=0 0\r
m=audio 9012 RTP/AVP 8 0 18 101\r
a=rtpmap:101 telephone-event/8000\r
"""

PHONE_WITH_VIDEO = b"""v=0\r
o=phone 3412 1977 IN IP4 198.51.100.4\r
s=Talk\r
c=IN IP4 198.51.100.4\r
t=0 0\r
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r
a=record:off\r
m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99 100\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 useinbandfec=1\r
a=rtpmap:97 speex/16000\r
a=fmtp:97 vbr=on\r
a=rtpmap:98 speex/8000\r
a=fmtp:18 annexb=yes\r
a=rtpmap:101 telephone-event/48000\r
a=rtpmap:99 telephone-event/16000\r
a=rtpmap:100 telephone-event/8000\r
a=rtcp-fb:* trr-int 1000\r
a=rtcp-fb:* ccm tmmbr\r
m=video 9078 RTP/AVPF 96\r
a=rtpmap:96 VP8/90000\r
a=rtcp-fb:96 nack pli\r
"""

SOFTPHONE = f"""v=0\r
o=- 3796472130 1021843102 IN IP4 198.51.100.5\r
s=-\r
c=IN IP4 198.51.100.5\r
t=0 0\r
a=tool:softphone 1.0.0\r
m=audio 21450 RTP/AVP 0 8 9 96 101\r
b=AS:125\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:9 G722/8000\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 stereo=1;sprop-stereo=1\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=rtcp:21451\r
a=sendrecv\r
a=rtcp-mux\r
a=label:1\r
a=ssrc:2786463210 cname:sip:a@example.com\r
a=ptime:20\r
a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY_30}\r
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}\r
""".encode()

CHEAP_SOFTPHONE = b"""v=0
o=Z 0 1 IN IP4 198.51.100.6
s=Z
c=IN IP4 198.51.100.6
t=0 0
m=audio 8000 RTP/AVP 3 110 8 0 97 101
a=rtpmap:110 speex/8000
a=rtpmap:97 iLBC/8000
a=fmtp:97 mode=20
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
"""

TWO_LINES = f"""v=0\r
o=- 8 8 IN IP4 192.0.2.30\r
s=-\r
c=IN IP4 192.0.2.30\r
t=0 0\r
m=audio 11000 RTP/SAVP 0 8 101\r
a=crypto:3 F8_128_HMAC_SHA1_80 inline:{KEY_30}\r
a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}|2^31\r
a=rtpmap:101 telephone-event/8000\r
m=audio 11002 RTP/AVP 0 8 101\r
a=rtpmap:101 telephone-event/8000\r
""".encode()

BROWSER = sdp(
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
    "a=rtpmap:111 opus/48000/2",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
)

ALL = [
    CLOUD_TRUNK,
    CLOUD_TRUNK_SECURE,
    PBX,
    PBX_WITHOUT_MAPS,
    PHONE_WITH_VIDEO,
    SOFTPHONE,
    CHEAP_SOFTPHONE,
    TWO_LINES,
    BROWSER,
]
