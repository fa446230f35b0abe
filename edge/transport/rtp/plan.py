"""What two ends agreed for one audio stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.transport.rtp.codec import Codec


@dataclass(frozen=True, slots=True)
class Plan:
    """The payload types of one stream, both ways; a new offer may change them during the call.

    ``receive`` says what audio may arrive (at least one kind), ``events`` which payload types are
    telephone events (RFC 4733), ``comfort`` which is comfort noise (RFC 3389), or None.
    ``comfort_out`` is the payload type that our own silence is sent as; None: it is not. ``ptime``
    is the milliseconds of audio that a packet of ours should hold.
    """

    send: Codec
    receive: Mapping[int, Codec]
    events: frozenset[int] = frozenset()
    comfort: int | None = None
    comfort_out: int | None = None
    ptime: int = 20

    @property
    def types(self) -> frozenset[int]:
        """Every payload type that may arrive."""
        noise = () if self.comfort is None else (self.comfort,)
        return self.events.union(self.receive, noise)


def just(codec: Codec) -> Plan:
    """One codec both ways, and nothing else."""
    return Plan(codec, {codec.payload_type: codec})
