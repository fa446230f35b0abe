"""What a session description says of its writer's media, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edge.transport.sip.media.crypto_attribute import parse_crypto
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.sdp import parse
from edge.transport.sip.wire.uri import bracketed

_HELD = ("sendonly", "inactive")


@dataclass(frozen=True, slots=True)
class Described:
    """``address`` is where the writer's audio is sent, ``held`` whether it listens for now, and
    ``suite`` the first way to encrypt that it names (RFC 4568), or nothing."""

    address: str
    held: bool
    suite: str

    @classmethod
    def of(cls, sdp: bytes | None) -> Self | None:
        """None when there is no audio in it, or nothing that can be read."""
        try:
            sections = [] if sdp is None else parse(sdp).sections
        except OfferError:
            return None
        audio = next((each for each in sections if each.kind == "audio" and each.port), None)
        if audio is None:
            return None
        offered = (parse_crypto(value) for value in audio.values("crypto"))
        suites = [line.suite for line in offered if line is not None]
        nowhere = audio.connection in ("0.0.0.0", "::")  # a hold of old (RFC 3264 section 8.4)
        return cls(
            address=f"{bracketed(audio.connection)}:{audio.port}",
            held=nowhere or audio.direction in _HELD,
            suite=suites[0] if suites else "",
        )
