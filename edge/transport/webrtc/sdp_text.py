"""SDP as we write it: one audio section, one data channel, bundled on one port."""

from __future__ import annotations

from dataclasses import dataclass

from edge.transport.rtp.codec import Codec
from edge.transport.webrtc.sdp import Description, Direction, Fingerprint, Section, Setup

MAX_MESSAGE = 16 * 1024
"""Bytes of the largest event that we take."""

_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True)
class Local:
    """What an answer or offer of ours says about this side."""

    host: str
    port: int
    ufrag: str
    password: str
    fingerprint: Fingerprint
    setup: Setup
    ssrc: int
    inside: str | None = None
    """Another address of ours with the same port, for relays of our own network."""


def answer(offer: Description, local: Local, *, direction: Direction) -> str:
    """The answer: our audio, the data channel if it was offered, and a no to everything else."""
    accepted = [offer.audio] + ([] if offer.data is None else [offer.data])
    lines = _session(offer, accepted)
    for index, section in enumerate(offer.sections):
        if index == offer.audio:
            lines += _audio(section, offer.codec, local, direction)
        elif index == offer.data:
            lines += _data(section, local)
        else:
            lines += [f"m={section.kind} 0 {section.protocol} {section.formats}"]
            lines += ["c=IN IP4 0.0.0.0", "a=inactive"]
            lines += [f"a=mid:{section.mid}"] if section.mid else []
    return "\r\n".join(lines) + "\r\n"


def offer(codec: Codec, local: Local, *, direction: Direction) -> str:
    """An offer of one audio section with one codec, and one data channel, bundled."""
    audio = Section("audio", "UDP/TLS/RTP/SAVPF", str(codec.payload_type), "0")
    data = Section("application", "UDP/DTLS/SCTP", "webrtc-datachannel", "1")
    lines = [*_preamble(), "a=group:BUNDLE 0 1"]
    lines += _audio(audio, codec, local, direction) + _data(data, local)
    return "\r\n".join(lines) + "\r\n"


def answer_direction(offered: Direction) -> Direction:
    """Ours, when we would do whatever the far end wants (RFC 3264 section 6.1)."""
    return _REVERSED[offered]


def _preamble() -> list[str]:
    return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]


def _session(offered: Description, accepted: list[int]) -> list[str]:
    lines = _preamble()
    if offered.bundled:
        mids = " ".join(offered.sections[index].mid or "" for index in sorted(accepted))
        lines.append(f"a=group:BUNDLE {mids}")
    return lines


def _audio(section: Section, codec: Codec, local: Local, direction: Direction) -> list[str]:
    number = codec.payload_type
    lines = [f"m=audio {local.port} {section.protocol} {number}"]
    lines += [*_reachable(local), f"a={direction}", "a=rtcp-mux"]
    lines += [f"a=mid:{section.mid}"] if section.mid else []
    if codec.name == "opus":
        lines += [
            f"a=rtpmap:{number} opus/48000/2",
            f"a=fmtp:{number} minptime=10;useinbandfec=1;usedtx=1;maxaveragebitrate=24000",
        ]
    else:
        lines += [f"a=rtpmap:{number} PCMU/8000"]
    if direction in ("sendrecv", "sendonly"):
        lines += ["a=msid:inland audio", f"a=ssrc:{local.ssrc} cname:inland"]
    return lines


def _data(section: Section, local: Local) -> list[str]:
    lines = [f"m=application {local.port} {section.protocol} webrtc-datachannel"]
    lines += [*_reachable(local), f"a=mid:{section.mid}"]
    return [*lines, "a=sctp-port:5000", f"a=max-message-size:{MAX_MESSAGE}"]


def _reachable(local: Local) -> list[str]:
    version = "IP6" if ":" in local.host else "IP4"
    lines = [f"c=IN {version} {local.host}"]
    if local.host not in ("0.0.0.0", "::"):
        lines += [f"a=candidate:1 1 udp 2130706431 {local.host} {local.port} typ host"]
    if local.inside is not None:
        lines += [f"a=candidate:2 1 udp 2130706175 {local.inside} {local.port} typ host"]
    return [
        *lines,
        "a=end-of-candidates",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        f"a=setup:{local.setup}",
    ]
