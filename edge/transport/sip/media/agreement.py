"""What two sides agree on for the one audio stream of a call, and what each brings to it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.transport.rtp.codec import Codec, CodecName
from edge.transport.sip.core.flow import Address

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""As its writer sees it (RFC 3264 section 5.1)."""

PTIME = 20
"""Milliseconds of audio in a packet of ours."""


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """What a trunk or registration allows.

    ``codecs`` are in order of preference. ``prefer`` says whose order decides when both sides have
    several. ``srtp`` "optional" takes encryption when it is offered and offers it beside plain RTP.
    """

    codecs: tuple[CodecName, ...] = ("opus", "g722", "pcmu", "pcma")
    srtp: Literal["off", "optional", "required"] = "optional"
    dtmf: bool = True
    prefer: Literal["ours", "theirs"] = "theirs"


@dataclass(frozen=True, slots=True)
class CryptoPair:
    """SDES keys of both directions (RFC 4568); each key is the master key followed by the salt."""

    suite: str
    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an offer and its answer come to.

    ``codec`` carries the payload type to send; ``receive_types`` says what may arrive. ``dtmf`` is
    the telephone-event payload type to send and its clock rate in Hz. ``remote`` is None when there
    is nowhere to send to yet: a null address (an old hold), or a name instead of an address; with
    ``rtcp_mux`` ``remote_rtcp`` equals it. ``held`` means that the far end does not listen to us
    for now. ``ptime`` is the milliseconds per packet that the far end would like. ``protocol`` and
    ``layout`` are for the next offer, which must keep every m= line in its place: the refused ones
    as written, None for the audio.
    """

    codec: Codec
    receive_types: Mapping[int, Codec]
    dtmf: tuple[int, int] | None
    dtmf_receive: int | None
    comfort_noise: int | None
    remote: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    sends: bool
    receives: bool
    held: bool
    ptime: int
    crypto: CryptoPair | None
    protocol: str = "RTP/AVP"
    layout: tuple[str | None, ...] = (None,)


@dataclass(slots=True)
class LocalMedia:
    """Our end of the stream and the name of our description.

    ``host`` is the address advertised, IPv4 or IPv6. ``session_id`` and ``version`` make the o=
    line: one object serves all offers and answers of a session, and its version grows only when
    the description changes (RFC 3264 section 8).
    """

    host: str
    rtp_port: int
    rtcp_port: int
    session_id: int = field(default_factory=lambda: secrets.randbits(62))
    version: int = 0
    _last: str | None = field(default=None, repr=False)

    def origin(self, description: str) -> str:
        """The o= line for ``description``, which is everything but that line."""
        if description != self._last:
            self.version += 1
            self._last = description
        family = "IP6" if ":" in self.host else "IP4"
        return f"o=- {self.session_id} {self.version} IN {family} {self.host}"
