"""Which payload types of an m= section are ours to use (RFC 3551, 4733, 3389, 7587)."""

from __future__ import annotations

from dataclasses import dataclass

from edge.transport.rtp.codec import Codec, CodecName
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.sdp import RtpMap, Section, parse_number

COMFORT_NOISE = 13
"""The static payload type of CN/8000."""

_STATIC = {
    0: RtpMap("pcmu", 8_000),
    8: RtpMap("pcma", 8_000),
    9: RtpMap("g722", 8_000),
    COMFORT_NOISE: RtpMap("cn", 8_000),
}
_OURS: dict[CodecName, int] = {"opus": 111, "g722": 9, "pcmu": 0, "pcma": 8}
_EVENTS = {48_000: 110, 8_000: 101}
"""Our payload type of telephone-event, by its clock rate."""

_CODECS: dict[str, CodecName] = {"opus": "opus", "g722": "g722", "pcmu": "pcmu", "pcma": "pcma"}
_OPUS_FMTP = "minptime=10;useinbandfec=1;usedtx=1;stereo=0;maxaveragebitrate=24000"


@dataclass(frozen=True, slots=True)
class Formats:
    """What a section lists, in its order: codecs, telephone events as (payload type, Hz), and the
    payload type of comfort noise."""

    codecs: tuple[Codec, ...]
    events: tuple[tuple[int, int], ...] = ()
    comfort_noise: int | None = None

    def event_for(self, codec: Codec) -> tuple[int, int] | None:
        """The telephone event of the codec's clock; of another one where there is no such."""
        fitting = (event for event in self.events if event[1] == codec.clock_rate)
        return next(fitting, self.events[0] if self.events else None)

    def comfort_noise_for(self, codec: Codec) -> int | None:
        """Comfort noise has a clock of 8 kHz: it goes with the codecs of the same."""
        return self.comfort_noise if codec.clock_rate == 8_000 else None

    def choose(self, policy: MediaPolicy) -> Codec | None:
        """The codec to speak, None when there is no common one."""
        allowed = [codec for codec in self.codecs if codec.name in policy.codecs]
        if policy.prefer == "ours":
            allowed.sort(key=lambda codec: policy.codecs.index(codec.name))
        return allowed[0] if allowed else None

    def only(self, codec: Codec, policy: MediaPolicy) -> Formats:
        """``codec`` with the telephone event and comfort noise that go with it."""
        event = self.event_for(codec) if policy.dtmf else None
        events = () if event is None else (event,)
        return Formats((codec,), events, self.comfort_noise_for(codec))

    @property
    def payload_types(self) -> list[int]:
        """All of them, as they stand in the m= line."""
        noise = [] if self.comfort_noise is None else [self.comfort_noise]
        events = [payload_type for payload_type, _ in self.events]
        return [codec.payload_type for codec in self.codecs] + noise + events

    def lines(self) -> list[str]:
        """Their rtpmap and fmtp lines, for static payload types too: some peers ask for them."""
        lines: list[str] = []
        for codec in self.codecs:
            number = codec.payload_type
            if codec.name == "opus":
                lines += [f"a=rtpmap:{number} opus/48000/2", f"a=fmtp:{number} {_OPUS_FMTP}"]
            else:
                lines.append(f"a=rtpmap:{number} {codec.name.upper()}/8000")
        if self.comfort_noise is not None:
            lines.append(f"a=rtpmap:{self.comfort_noise} CN/8000")
        for number, clock_rate in self.events:
            lines += [f"a=rtpmap:{number} telephone-event/{clock_rate}", f"a=fmtp:{number} 0-15"]
        return lines


def read_formats(section: Section, offered: Formats | None = None) -> Formats:
    """What of a section is known here. ``offered`` is what an answer answers: a payload type of it
    that comes back without its rtpmap means what it meant there."""
    maps = {**_STATIC, **_maps(offered), **section.rtpmaps()}
    codecs: dict[int, Codec] = {}
    events: dict[int, int] = {}
    noise: int | None = None
    for text in section.formats:
        number = parse_number(text, 127)
        mapping = None if number is None else maps.get(number)
        if number is None or mapping is None:
            continue
        if (name := _codec_name(mapping)) is not None:
            codecs.setdefault(number, Codec(name, number))
        elif mapping.encoding == "telephone-event" and mapping.clock_rate in _EVENTS:
            events.setdefault(number, mapping.clock_rate)
        elif mapping == _STATIC[COMFORT_NOISE] and noise is None:
            noise = number
    return Formats(tuple(codecs.values()), tuple(events.items()), noise)


def our_formats(policy: MediaPolicy) -> Formats:
    """What policy lets us offer."""
    codecs = tuple(Codec(name, _OURS[name]) for name in dict.fromkeys(policy.codecs))
    clocks = dict.fromkeys(codec.clock_rate for codec in codecs)
    events = tuple((_EVENTS[clock], clock) for clock in clocks) if policy.dtmf else ()
    return Formats(codecs, events, COMFORT_NOISE if 8_000 in clocks else None)


def _maps(offered: Formats | None) -> dict[int, RtpMap]:
    if offered is None:
        return {}
    maps = {
        codec.payload_type: RtpMap(codec.name, codec.clock_rate, 2 if codec.name == "opus" else 1)
        for codec in offered.codecs
    }
    return maps | {number: RtpMap("telephone-event", clock) for number, clock in offered.events}


def _codec_name(mapping: RtpMap) -> CodecName | None:
    name = _CODECS.get(mapping.encoding)
    if name == "opus":
        # RFC 7587 says two channels whatever is inside; some leave them out.
        return name if mapping.clock_rate == 48_000 and mapping.channels in (1, 2) else None
    return name if mapping.clock_rate == 8_000 and mapping.channels == 1 else None
