"""Reading a session description (RFC 8866), tolerantly, in bounds and in linear time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import get_args

from edge.transport.sip.media.agreement import Direction
from edge.transport.sip.media.errors import OfferError

MAX_BYTES = 64 * 1024
MAX_LINES = 1_000
MAX_SECTIONS = 32
MAX_FORMATS = 128
"""Per section. As many as there are payload types."""

_DIRECTIONS: dict[str, Direction] = {name: name for name in get_args(Direction)}


@dataclass(frozen=True, slots=True)
class RtpMap:
    """An a=rtpmap value; ``encoding`` in lower case, ``channels`` 1 when not said."""

    encoding: str
    clock_rate: int
    channels: int = 1


@dataclass(slots=True)
class Section:
    """One m= section. ``port`` 0 is a stream that is not wanted.

    ``connection`` is the address of its c= line, or of the session's; empty when there is neither.
    ``attributes`` are in order, names in lower case. ``direction`` is None when not said.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str = ""
    direction: Direction | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of every attribute of that name."""
        return [value for found, value in self.attributes if found == name]

    def value(self, name: str) -> str | None:
        """The first value of an attribute; empty for a bare flag."""
        return next((value for found, value in self.attributes if found == name), None)

    def rtpmaps(self) -> dict[int, RtpMap]:
        """By payload type; of two for one payload type the first counts."""
        found: dict[int, RtpMap] = {}
        for value in self.values("rtpmap"):
            number, _, rest = value.partition(" ")
            payload_type = parse_number(number, 127)
            mapping = _rtpmap(rest)
            if payload_type is not None and mapping is not None:
                found.setdefault(payload_type, mapping)
        return found


@dataclass(slots=True)
class Description:
    """A session description: its sections, in order."""

    sections: list[Section] = field(default_factory=list)


def parse(body: bytes) -> Description:
    """Raises ``OfferError`` "bad_sdp".

    LF, CRLF or CR end a line; the space around ``=`` and the case of names do not matter; lines of
    no meaning here are passed over.
    """
    if len(body) > MAX_BYTES:
        raise OfferError("bad_sdp", "longer than is read")
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise OfferError("bad_sdp", "more lines than are read")
    reader = _Reader()
    for line in lines:
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        if equals:
            reader.line(key.strip().lower(), value.strip())
    return reader.finished()


class _Reader:
    def __init__(self) -> None:
        self._description = Description()
        self._versioned = False
        self._connection = ""
        self._direction: Direction | None = None
        self._attributes: list[tuple[str, str]] = []

    def line(self, key: str, value: str) -> None:
        sections = self._description.sections
        match key:
            case "v":
                self._versioned = value == "0"
            case "m":
                if len(sections) == MAX_SECTIONS:
                    raise OfferError("bad_sdp", "more media sections than are read")
                sections.append(_section(value))
            case "c":
                address = _connection(value)
                if sections:
                    # Several are for layered streams: the first is the base layer.
                    sections[-1].connection = sections[-1].connection or address
                else:
                    self._connection = address
            case "a":
                self._attribute(value)

    def _attribute(self, text: str) -> None:
        name, _, value = text.partition(":")
        name, value = name.strip().lower(), value.strip()
        sections = self._description.sections
        direction = _DIRECTIONS.get(name)
        if sections:
            section = sections[-1]
            section.attributes.append((name, value))
            section.direction = section.direction or direction
        else:
            self._attributes.append((name, value))
            self._direction = self._direction or direction

    def finished(self) -> Description:
        if not self._versioned:
            raise OfferError("bad_sdp", "no v=0 line")
        for section in self._description.sections:
            section.connection = section.connection or self._connection
            section.direction = section.direction or self._direction
        ptime = [(name, value) for name, value in self._attributes if name in ("ptime", "maxptime")]
        for section in self._description.sections:
            section.attributes += ptime
        return self._description


def parse_number(text: str, most: int) -> int | None:
    """A decimal from 0 to ``most``, else None."""
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        return None
    return number if (number := int(text)) <= most else None


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A numeric address without a zone; None for a name and for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, ipaddress.IPv6Address) and address.scope_id else address


def _section(value: str) -> Section:
    parts = value.split()
    written = "".join(parts)
    if len(parts) < 3 or not written.isascii() or not written.isprintable():
        # What is refused comes back as it was written, so it must be fit to be written.
        raise OfferError("bad_sdp", "an m= line is malformed")
    port = parse_number(parts[1].partition("/")[0], 65_535)
    if port is None:
        raise OfferError("bad_sdp", "an m= line has no port")
    if len(parts) - 3 > MAX_FORMATS:
        raise OfferError("bad_sdp", "more formats than there are payload types")
    return Section(parts[0].lower(), port, parts[2], tuple(parts[3:]))


def _connection(value: str) -> str:
    """``IN IP4 192.0.2.1/127`` to the address; empty when there is none."""
    parts = value.split()
    return parts[2].partition("/")[0] if len(parts) >= 3 else ""


def _rtpmap(text: str) -> RtpMap | None:
    encoding, *numbers = "".join(text.split()).split("/")
    if not encoding or not numbers or len(numbers) > 2:
        return None
    clock_rate = parse_number(numbers[0], 1_000_000)
    channels = parse_number(numbers[1], 255) if len(numbers) == 2 else 1
    if clock_rate is None or channels is None:
        return None
    return RtpMap(encoding.lower(), clock_rate, channels)
