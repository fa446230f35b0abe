"""What a caller needs of its media connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from edge.clock import Clock
from edge.events import JsonValue
from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from inland.caller.options import Codec


@dataclass(frozen=True, slots=True)
class PeerStats:
    """RTP as received so far: packets, and packets that never came."""

    packets: int
    lost: int


class Peer(Protocol):
    """A WebRTC client peer with one audio section and the data channel ``oai-events``.

    It pulls ``playout`` once per 20 ms and sends silence when there is nothing in it. It calls
    ``on_audio`` in order with frames of 480 samples (24 kHz mono, 20 ms); while the edge sends
    nothing, these are silence or do not come.
    """

    playout: Playout
    """24 kHz for Opus, 8 kHz for PCMU."""
    on_audio: Callable[[Samples], None]
    on_message: Callable[[Mapping[str, JsonValue]], None]
    on_packet: Callable[[float, int], None]
    """Called for each RTP packet with its arrival (seconds) and its RTP timestamp."""
    clock_rate: int
    """Hz of the RTP timestamps."""

    async def offer(self) -> str:
        """The SDP offer, candidates included. Called once."""
        ...

    async def accept(self, answer: str) -> None:
        """Take the edge's SDP answer. Raises ``LegError`` when it is none."""
        ...

    async def connected(self) -> None:
        """Returns when media and events can flow. Raises ``LegError`` when they cannot."""
        ...

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send one JSON event; never blocks."""
        ...

    def stats(self) -> PeerStats:
        """What came so far."""
        ...

    async def close(self) -> None:
        """Free sockets and tasks. Idempotent."""
        ...


PeerFactory: TypeAlias = Callable[[Codec, Ticker, Clock], Peer]
