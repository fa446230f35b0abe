"""What a phone call tells its reader, as it happens: the records of ``--json``, beside ``said``,
``wire``, ``note`` and ``placement``, which are those of any call.

``t`` is seconds since the caller began to place the call.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TypeAlias

from inland.caller.records import KINDS as CALL_KINDS
from inland.caller.records import Note, Placed, Said, Wire


@dataclass(frozen=True, slots=True)
class Dialled:
    """An INVITE leaves for ``target``."""

    t: float
    target: str
    via: str
    """``udp``, ``tcp`` or ``tls``."""
    codecs: tuple[str, ...]
    srtp: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far end says that it rings, or is trying; ``status`` is that of SIP, 180 to 199."""

    t: float
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """The far end is heard before it answers."""

    t: float
    status: int
    codec: str
    encryption: str


@dataclass(frozen=True, slots=True)
class PhoneAnswered:
    """Somebody took the call ``after_ms`` after the INVITE left.

    ``encryption`` is the SRTP suite (RFC 4568), empty without; ``media`` the address that the far
    end wants its audio at.
    """

    t: float
    after_ms: float
    codec: str
    encryption: str
    media: str


@dataclass(frozen=True, slots=True)
class KeyHeard:
    """The far end pressed a key."""

    t: float
    key: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The far end's media comes from elsewhere now; ``silent_ms`` is without a packet between."""

    t: float
    from_media: str
    to_media: str
    silent_ms: float


@dataclass(frozen=True, slots=True)
class Held:
    """``by`` ``caller`` or ``agent``: one side does not listen for now, or does again."""

    t: float
    by: str
    on: bool


@dataclass(frozen=True, slots=True)
class Redirected:
    """The far end does not take the call and names ``target`` in its place (3xx)."""

    t: float
    status: int
    reason: str
    target: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """The far end gives the caller to ``target`` (RFC 3515); ``status`` is how that went, None
    while it is tried."""

    t: float
    target: str
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class PhoneEnded:
    """The last record."""

    t: float
    reason: str
    exit_status: int
    why: str
    """The reason in words."""
    status: int | None
    """The SIP status that refused the call, where one did."""
    script_finished: bool
    lines_left: int
    answers: int
    """How often the agent was heard after something the caller did, or at the start."""
    wire_p50_ms: float | None
    wire_p95_ms: float | None
    wire_ms: tuple[float, ...]
    packets: int
    lost: int
    gap_p50_ms: float | None
    gap_p99_ms: float | None
    gap_max_ms: float | None


PhoneRecord: TypeAlias = (
    Dialled
    | Ringing
    | EarlyMedia
    | PhoneAnswered
    | KeyHeard
    | Moved
    | Held
    | Redirected
    | Transferred
    | PhoneEnded
    | Said
    | Wire
    | Note
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An edge calls by ``trunk``; region and node are what the control plane said of it."""

    t: float
    call_id: str
    trunk: str
    region: str
    node: str


@dataclass(frozen=True, slots=True)
class Stage:
    """How the ordered call is going: ``dialling``, ``ringing``, ``early_media``, ``answered``."""

    t: float
    stage: str


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """The last record of an ordered call; ``reason`` is the edge's outcome (docs/phone.md)."""

    t: float
    reason: str
    exit_status: int
    why: str
    status: int | None
    """The SIP status that refused the call, where one did."""
    talk_seconds: float | None


OrderRecord: TypeAlias = Placed | Ordered | Stage | Note | OrderEnded

KINDS: dict[type, str] = {
    Dialled: "dialled",
    Ringing: "ringing",
    EarlyMedia: "early_media",
    PhoneAnswered: "answered",
    KeyHeard: "key",
    Moved: "moved",
    Held: "hold",
    Redirected: "redirected",
    Transferred: "transfer",
    PhoneEnded: "end",
    Ordered: "ordered",
    Stage: "stage",
    OrderEnded: "end",
    Placed: CALL_KINDS[Placed],
    Said: CALL_KINDS[Said],
    Wire: CALL_KINDS[Wire],
    Note: CALL_KINDS[Note],
}
"""The value of ``record`` in a JSON line."""


def to_json(record: PhoneRecord | OrderRecord) -> str:
    """The record as one line of JSON."""
    fields = {"record": KINDS[type(record)], **dataclasses.asdict(record)}
    return json.dumps(fields, ensure_ascii=False)
