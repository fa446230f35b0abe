"""Offer and answer (RFC 3264) for one audio stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from edge.transport.rtp.codec import Codec
from edge.transport.sip.core.flow import Address
from edge.transport.sip.media.agreement import (
    PTIME,
    Agreed,
    CryptoPair,
    Direction,
    LocalMedia,
    MediaPolicy,
)
from edge.transport.sip.media.crypto_attribute import (
    BESIDE_PLAIN,
    KEY_LENGTHS,
    CryptoLine,
    new_key,
    parse_crypto,
)
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.formats import Formats, our_formats, read_formats
from edge.transport.sip.media.sdp import Section, parse, parse_address, parse_number

__all__ = [
    "Agreed",
    "CryptoPair",
    "LocalMedia",
    "MediaPolicy",
    "OfferError",
    "OfferState",
    "accept",
    "answer",
    "offer",
]

_PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
_PROFILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "off": ("RTP/AVP", ()),
    "optional": ("RTP/AVP", BESIDE_PLAIN),
    "required": ("RTP/SAVP", tuple(KEY_LENGTHS)),
}
"""The profile of an offer and the suites in it, by policy."""

_BROADCAST = "255.255.255.255"
_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True)
class Described:
    """What one description of ours says of the stream."""

    formats: Formats
    direction: Direction
    protocol: str
    layout: tuple[str | None, ...]
    crypto: tuple[CryptoLine, ...]


@dataclass(frozen=True, slots=True)
class OfferState:
    """What we offered, for when the answer comes."""

    policy: MediaPolicy
    described: Described


def answer(
    offer: bytes,
    local: LocalMedia,
    policy: MediaPolicy,
    previous: Agreed | None = None,
    *,
    direction: Direction = "sendrecv",
) -> tuple[bytes, Agreed]:
    """Our answer, and what it comes to. Raises ``OfferError``.

    ``direction`` is what we would like, as we see it. ``previous`` is what stands when this is a
    re-offer: its key to send with is kept.
    """
    sections = parse(offer).sections
    within_reach = [section for section in sections if _within_reach(section, local)]
    chosen, codec, line = _choose(within_reach, policy)
    formats = read_formats(chosen).only(codec, policy)
    ours = _both(_REVERSED[_their_direction(chosen)], direction)
    keys: tuple[CryptoLine, ...] = ()
    crypto: CryptoPair | None = None
    if line is not None:
        crypto = CryptoPair(line.suite, _kept_key(line, previous), line.key)
        keys = (CryptoLine(line.tag, line.suite, crypto.send_key),)
    layout = tuple(None if section is chosen else _refused(section) for section in sections)
    described = Described(formats, ours, chosen.protocol, layout, keys)
    agreed = _agreed(chosen, codec, formats, described, crypto)
    return _write(local, described, agreed.rtcp_mux), agreed


def offer(
    local: LocalMedia,
    policy: MediaPolicy,
    direction: Direction = "sendrecv",
    previous: Agreed | None = None,
) -> tuple[bytes, OfferState]:
    """Our offer. With ``previous`` it is a re-offer of what stands, codec, payload types and keys,
    so that nothing but direction and address can change by it."""
    if previous is None:
        protocol, suites = _PROFILES[policy.srtp]
        keys = [CryptoLine(tag, suite, new_key(suite)) for tag, suite in enumerate(suites, 1)]
        described = Described(our_formats(policy), direction, protocol, (None,), tuple(keys))
    else:
        crypto = previous.crypto
        keys = [] if crypto is None else [CryptoLine(1, crypto.suite, crypto.send_key)]
        described = Described(
            _standing(previous), direction, previous.protocol, previous.layout, tuple(keys)
        )
    return _write(local, described, True), OfferState(policy, described)


def accept(state: OfferState, answer: bytes) -> Agreed:
    """What the answer to our offer comes to. Raises ``OfferError``."""
    sections = (s for s in parse(answer).sections if s.kind == "audio" and s.port)
    section = next(sections, None)
    if section is None or not _usable(section):
        raise OfferError("no_common_codec", "the answer takes no audio stream of ours")
    described = state.described
    formats = read_formats(section, described.formats)
    offered = {codec.name for codec in described.formats.codecs}
    codec = next((codec for codec in formats.codecs if codec.name in offered), None)
    if codec is None:
        raise OfferError("no_common_codec", "the answer has no codec of our offer")
    crypto = _accepted_keys(described, section)
    plain = state.policy.srtp != "required" and not _is_secure(described)
    if crypto is None and (not plain or _is_secure(section)):
        raise OfferError("srtp_required", "the answer has no key for an encrypted stream")
    return _agreed(section, codec, formats, described, crypto)


def _choose(
    sections: Sequence[Section], policy: MediaPolicy
) -> tuple[Section, Codec, CryptoLine | None]:
    """The section to take, with its codec and key line: an encrypted one before a plain one."""
    plain: tuple[Section, Codec, None] | None = None
    only_encrypted = False
    for section in sections:
        if section.kind != "audio" or not section.port or not _usable(section):
            continue
        codec = read_formats(section).choose(policy)
        if codec is None:
            continue
        line = None if policy.srtp == "off" else _first_key(section)
        if line is not None:
            return section, codec, line
        if _is_secure(section):
            only_encrypted = True
        elif plain is None:
            plain = section, codec, None
    if plain is not None and policy.srtp != "required":
        return plain
    if plain is not None or (only_encrypted and policy.srtp != "off"):
        raise OfferError("srtp_required", "no stream comes with a key that can be used")
    if only_encrypted:
        raise OfferError("no_common_codec", "every stream is encrypted, and policy turns that off")
    raise OfferError("no_common_codec", "no audio stream with a codec in common")


def _usable(section: Section) -> bool:
    """Whether its transport is spoken here and its address is that of one host."""
    address = parse_address(section.connection)
    if address is not None and (address.is_multicast or str(address) == _BROADCAST):
        return False
    return section.protocol.upper() in _PLAIN + _SECURE


def _within_reach(section: Section, local: LocalMedia) -> bool:
    """Whether its address is of our family. An answer of another one would be a call in silence;
    a refusal lets the far end try by other means."""
    address = parse_address(section.connection)
    if address is None or address.is_unspecified:
        return True
    return address.version == ip_address(local.host).version


def _is_secure(stream: Section | Described) -> bool:
    return stream.protocol.upper() in _SECURE


def _first_key(section: Section) -> CryptoLine | None:
    """The offerer's first choice among what we can do (RFC 4568 section 5.1.1)."""
    lines = (parse_crypto(value) for value in section.values("crypto"))
    return next((line for line in lines if line is not None), None)


def _kept_key(line: CryptoLine, previous: Agreed | None) -> bytes:
    """The key that we send with already, a new one when the suite is new."""
    old = None if previous is None else previous.crypto
    return old.send_key if old is not None and old.suite == line.suite else new_key(line.suite)


def _accepted_keys(described: Described, section: Section) -> CryptoPair | None:
    """Each suite was offered once, so that the suite alone names the line that was taken."""
    offered = {line.suite: line.key for line in described.crypto}
    line = _first_key(section)
    if line is None or line.suite not in offered:
        return None
    return CryptoPair(line.suite, offered[line.suite], line.key)


def _their_direction(section: Section) -> Direction:
    """As they see it. The null address of an old hold says that they do not listen
    (RFC 3264 section 8.4)."""
    said = section.direction or "sendrecv"
    address = parse_address(section.connection)
    return _both(said, "sendonly") if address is not None and address.is_unspecified else said


def _both(one: Direction, other: Direction) -> Direction:
    """What two directions of one side have in common."""
    sends = _sends(one) and _sends(other)
    receives = _receives(one) and _receives(other)
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _sends(direction: Direction) -> bool:
    return direction in ("sendrecv", "sendonly")


def _receives(direction: Direction) -> bool:
    return direction in ("sendrecv", "recvonly")


def _agreed(
    section: Section,
    codec: Codec,
    theirs: Formats,
    ours: Described,
    crypto: CryptoPair | None,
) -> Agreed:
    said = _their_direction(section)
    direction = _both(_REVERSED[said], ours.direction)
    formats = ours.formats
    event = theirs.event_for(codec) if formats.events else None
    remote = _remote(section)
    mux = section.value("rtcp-mux") is not None
    return Agreed(
        codec=codec,
        receive_types={known.payload_type: known for known in formats.codecs},
        dtmf=event,
        dtmf_receive=None if event is None else _our_event(formats, event[1]),
        comfort_noise=None if formats.comfort_noise is None else theirs.comfort_noise_for(codec),
        remote=remote,
        remote_rtcp=remote if mux else _remote_rtcp(section, remote),
        rtcp_mux=mux,
        sends=_sends(direction),
        receives=_receives(direction),
        held=not _receives(said),
        ptime=_ptime(section),
        crypto=crypto,
        protocol=section.protocol,
        layout=ours.layout,
    )


def _our_event(ours: Formats, clock_rate: int) -> int:
    """The payload type that we gave to the event of that clock, else to the first."""
    fitting = (number for number, clock in ours.events if clock == clock_rate)
    return next(fitting, ours.events[0][0])


def _remote(section: Section) -> Address | None:
    address = parse_address(section.connection)
    if address is None or address.is_unspecified:
        return None
    return str(address), section.port


def _remote_rtcp(section: Section, remote: Address | None) -> Address | None:
    """The next port unless a=rtcp says otherwise (RFC 3605)."""
    parts = (section.value("rtcp") or "").split()
    port = parse_number(parts[0], 65_535) if parts else None
    address = parse_address(parts[3]) if len(parts) >= 4 else None
    if port and address is not None and not address.is_unspecified and not address.is_multicast:
        return str(address), port
    if remote is None:
        return None
    following = port or section.port + 1
    return (remote[0], following) if following < 65_536 else None


def _ptime(section: Section) -> int:
    """What they would like, 20 ms when they do not say or ask for what nobody sends."""
    most = parse_number(section.value("maxptime") or "", 1_000) or 200
    wanted = parse_number(section.value("ptime") or "", 200) or PTIME
    return max(10, min(wanted, most))


def _standing(agreed: Agreed) -> Formats:
    """What was agreed, with the payload types that we receive."""
    name = agreed.codec.name
    same = (codec for codec in agreed.receive_types.values() if codec.name == name)
    events: tuple[tuple[int, int], ...] = ()
    if agreed.dtmf is not None and agreed.dtmf_receive is not None:
        events = ((agreed.dtmf_receive, agreed.dtmf[1]),)
    return Formats((next(same, agreed.codec),), events, agreed.comfort_noise)


def _refused(section: Section) -> str:
    formats = " ".join(section.formats) or "0"
    return f"m={section.kind} 0 {section.protocol} {formats}"


def _write(local: LocalMedia, described: Described, rtcp_mux: bool) -> bytes:
    family = "IP6" if ":" in local.host else "IP4"
    numbers = " ".join(str(number) for number in described.formats.payload_types)
    audio = [f"m=audio {local.rtp_port} {described.protocol} {numbers}"]
    audio += described.formats.lines()
    audio += [f"a=crypto:{line}" for line in described.crypto]
    audio += [f"a=ptime:{PTIME}", f"a={described.direction}"]
    if local.rtcp_port != local.rtp_port + 1:
        audio.append(f"a=rtcp:{local.rtcp_port}")
    if rtcp_mux:
        audio.append("a=rtcp-mux")
    rest = ["s=-", f"c=IN {family} {local.host}", "t=0 0"]
    for refused in described.layout:
        rest += audio if refused is None else [refused]
    return "\r\n".join(["v=0", local.origin("\n".join(rest)), *rest, ""]).encode()
