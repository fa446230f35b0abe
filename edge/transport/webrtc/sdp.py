"""SDP as WebRTC uses it (RFC 8866, RFC 9429): what we take from an offer or an answer.

Read with limits, line by line. Of an offer only the ``mid`` tokens, media types, protocol names and
formats return in our answer, and those are checked against their grammar. The addresses of its
candidates are not used: they are learned from the far end's checks, while a name that does not
resolve would cost a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.transport.rtp.codec import Codec
from edge.transport.webrtc.errors import IceRestartUnsupported, OfferError

MAX_BYTES = 64 * 1024
MAX_LINES = 2000
MAX_SECTIONS = 8

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup: TypeAlias = Literal["actpass", "active", "passive"]

_DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
_SETUPS: tuple[Setup, ...] = ("actpass", "active", "passive")
_HASHES = frozenset({"sha-256", "sha-384", "sha-512"})

_SRTP_PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"})

_LINE = re.compile(r"[a-z]=[^\x00]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]{1,64}")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+")
_MEDIA = re.compile(
    r"(audio|video|application|text|message|image) (\d{1,5}) ([A-Z/]{1,40}) (.{1,600})"
)
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9\-_.]{1,40})/(\d{1,6})(?:/(\d))?")
_FINGERPRINT = re.compile(r"(\S{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){19,63})")
_CANDIDATE = re.compile(r"\S{1,32} 1 udp \d{1,10} (\S{1,255}) (\d{1,5}) typ (\S+)(?: .*)?", re.I)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digest of a DTLS certificate (RFC 8122)."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Transport:
    """How to reach and recognise one side: ICE credentials, DTLS fingerprints and role."""

    ufrag: str
    password: str
    lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    candidate: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class DataSection:
    """An SCTP association (RFC 8841)."""

    port: int
    max_message: int


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line, as far as an answer has to mirror it."""

    kind: str
    protocol: str
    formats: str
    mid: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """A whole offer or answer. ``audio`` and ``data`` are indices into ``sections``."""

    sections: tuple[Section, ...]
    audio: int
    codec: Codec
    direction: Direction
    transport: Transport
    data: int | None
    data_section: DataSection | None
    bundled: bool
    relayed: bool
    """Whether the far end has a relay (RFC 8656) to come through."""


@dataclass(slots=True)
class _Attributes:
    """The ``a=`` lines of the session or of one section."""

    values: dict[str, list[str]] = field(default_factory=dict)
    parent: _Attributes | None = None

    def own(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def first(self, name: str) -> str | None:
        """The section's value, or the session's."""
        found = self.own(name) or (self.parent.own(name) if self.parent else [])
        return found[0] if found else None


@dataclass(slots=True)
class _Parsed:
    kind: str
    port: int
    protocol: str
    formats: str
    attributes: _Attributes

    @property
    def mid(self) -> str | None:
        return self.attributes.first("mid")


def parse_offer(text: str) -> Description:
    """What an offer says. Raises :class:`OfferError`."""
    offered = _describe(text, setups=_SETUPS)
    if offered.transport.lite:
        raise OfferError("bad_sdp", "an ICE-lite client is not supported")
    return offered


def parse_answer(text: str) -> Description:
    """What an answer says. Raises :class:`OfferError`."""
    return _describe(text, setups=("active", "passive"))


def check_fragment(fragment: str, ufrag: str) -> None:
    """Check a trickle ICE fragment (RFC 8840 section 9); its candidates are not needed.

    Raises :class:`IceRestartUnsupported` when its credentials are not ``ufrag``'s, and
    :class:`OfferError` when it is no fragment.
    """
    for line in _lines(fragment):
        if line.startswith("a=ice-ufrag:") and line.partition(":")[2].strip() != ufrag:
            raise IceRestartUnsupported("the ICE credentials changed: reconnect instead")


# --- reading ---------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[str]:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise OfferError("bad_sdp", "the SDP is over 64 KiB")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise OfferError("bad_sdp", f"the SDP has over {MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if not _LINE.fullmatch(line):
            raise OfferError("bad_sdp", f"line {number} is not of the form x=value")
        yield line


def _sections(text: str) -> tuple[_Attributes, list[_Parsed]]:
    session = _Attributes()
    sections: list[_Parsed] = []
    first = True
    for line in _lines(text):
        if first and line != "v=0":
            raise OfferError("bad_sdp", "an SDP begins with v=0")
        first = False
        if line.startswith("m="):
            if len(sections) == MAX_SECTIONS:
                raise OfferError("bad_sdp", f"more than {MAX_SECTIONS} m-lines")
            found = _MEDIA.fullmatch(line[2:])
            if found is None:
                raise OfferError("bad_sdp", f"m-line {len(sections) + 1} is malformed")
            kind, port, protocol, formats = found.groups()
            inherited = _Attributes(parent=session)
            sections.append(_Parsed(kind, int(port), protocol, formats.strip(), inherited))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            attributes = sections[-1].attributes if sections else session
            attributes.values.setdefault(name, []).append(value.strip())
    if first:
        raise OfferError("bad_sdp", "the SDP is empty")
    return session, sections


def _describe(text: str, *, setups: tuple[Setup, ...]) -> Description:
    session, sections = _sections(text)
    mids = [section.mid for section in sections if section.mid is not None]
    if len(mids) != len(set(mids)):
        raise OfferError("bad_sdp", "two sections have the same a=mid")
    for section in sections:
        if section.mid is not None and not _TOKEN.fullmatch(section.mid):
            raise OfferError("bad_sdp", "a=mid is not a token")
        if not all(_TOKEN.fullmatch(one) for one in section.formats.split(" ")):
            raise OfferError("bad_sdp", f"the formats of the {section.kind} section are malformed")
    audio = next(
        (i for i, one in enumerate(sections) if one.kind == "audio" and _is_open(one)), None
    )
    if audio is None:
        raise OfferError("bad_sdp", "there is no audio section")
    chosen = sections[audio]
    if chosen.attributes.first("rtcp-mux") is None:
        raise OfferError("bad_sdp", "the audio section has no a=rtcp-mux")
    bundle = _bundle(session)
    bundled = chosen.mid in bundle
    data = next(
        (
            i
            for i, one in enumerate(sections)
            if one.kind == "application"
            and _is_open(one)
            and one.formats == "webrtc-datachannel"
            and bundled
            and one.mid in bundle
        ),
        None,
    )
    return Description(
        sections=tuple(Section(s.kind, s.protocol, s.formats, s.mid) for s in sections),
        audio=audio,
        codec=_codec(chosen),
        direction=_direction(chosen.attributes),
        transport=_transport(chosen.attributes, setups),
        data=data,
        data_section=None if data is None else _data_section(sections[data].attributes),
        bundled=bundled,
        relayed=any(_is_relayed(section.attributes) for section in sections),
    )


def _is_open(section: _Parsed) -> bool:
    """Port 0 rejects a section, unless it only waits for its bundle (RFC 8843 section 6)."""
    return section.port != 0 or "bundle-only" in section.attributes.values


def _bundle(session: _Attributes) -> frozenset[str | None]:
    for group in session.own("group"):
        semantics, *mids = group.split()
        if semantics == "BUNDLE":
            return frozenset(mids)
    return frozenset()


def _codec(section: _Parsed) -> Codec:
    """The first codec of the far end's list that we speak."""
    if section.protocol not in _SRTP_PROTOCOLS:
        raise OfferError("bad_sdp", "the audio section is not SRTP over DTLS")
    names = {"0": ("pcmu", "8000")}
    for line in section.attributes.own("rtpmap"):
        found = _RTPMAP.fullmatch(line)
        if found is None:
            raise OfferError("bad_sdp", "an a=rtpmap is malformed")
        names[found[1]] = (found[2].lower(), found[3])
    for number in section.formats.split(" "):
        match names.get(number):
            case ("opus", "48000") if 96 <= int(number) <= 127 or 35 <= int(number) <= 63:
                return Codec("opus", int(number))
            case ("pcmu", "8000") if int(number) <= 127:
                return Codec("pcmu", int(number))
    raise OfferError("no_common_codec", "neither Opus nor PCMU was offered")


def _direction(attributes: _Attributes) -> Direction:
    for direction in _DIRECTIONS:
        if attributes.own(direction):
            return direction
    for direction in _DIRECTIONS:
        if attributes.first(direction) is not None:
            return direction
    return "sendrecv"


def _transport(attributes: _Attributes, setups: tuple[Setup, ...]) -> Transport:
    ufrag = _ice_value(attributes, "ice-ufrag", 4)
    password = _ice_value(attributes, "ice-pwd", 22)
    lines = attributes.own("fingerprint") or (
        attributes.parent.own("fingerprint") if attributes.parent else []
    )
    fingerprints = []
    for line in lines:
        found = _FINGERPRINT.fullmatch(line)
        if found is None:
            raise OfferError("bad_sdp", "an a=fingerprint is malformed")
        if found[1].lower() in _HASHES:
            fingerprints.append(Fingerprint(found[1].lower(), found[2].upper()))
    if not fingerprints:
        raise OfferError("bad_sdp", "there is no SHA-2 a=fingerprint")
    setup = next((one for one in setups if one == attributes.first("setup")), None)
    if setup is None:
        raise OfferError("bad_sdp", f"a=setup must be one of {', '.join(setups)}")
    lite = attributes.first("ice-lite") is not None
    return Transport(ufrag, password, lite, tuple(fingerprints), setup, _candidate(attributes))


def _ice_value(attributes: _Attributes, name: str, least: int) -> str:
    value = attributes.first(name)
    if value is None:
        raise OfferError("bad_sdp", f"there is no a={name}")
    if not least <= len(value) <= 256 or not _ICE_CHARS.fullmatch(value):
        raise OfferError("bad_sdp", f"a={name} is malformed")
    return value


def _candidate(attributes: _Attributes) -> tuple[str, int] | None:
    for line in attributes.own("candidate"):
        if found := _CANDIDATE.fullmatch(line):
            return found[1], int(found[2])
    return None


def _is_relayed(attributes: _Attributes) -> bool:
    found = (_CANDIDATE.fullmatch(line) for line in attributes.own("candidate"))
    return any(one is not None and one[3].lower() == "relay" for one in found)


def _data_section(attributes: _Attributes) -> DataSection:
    port = attributes.first("sctp-port") or "5000"
    largest = attributes.first("max-message-size") or "65536"
    if not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        raise OfferError("bad_sdp", "a=sctp-port is malformed")
    if not largest.isascii() or not largest.isdecimal():
        raise OfferError("bad_sdp", "a=max-message-size is malformed")
    return DataSection(int(port), int(largest[:12]))
