"""How a stack is used, as far as it costs: every assumption of the estimate has its name here."""

from __future__ import annotations

from dataclasses import dataclass

HOURS_A_MONTH = 730
"""As AWS counts a month: 8,760 hours a year."""
DAYS_A_MONTH = HOURS_A_MONTH / 24
MINUTES_A_MONTH = HOURS_A_MONTH * 60

SCALING_TARGET = 0.6
"""Of the calls that a node takes: the fleet grows above it (``TARGET_SHARE`` of the component)."""
DISK_GB = 16
"""Of a node (``DISK_GIB`` of the component)."""

PACKETS_A_SECOND = 50
"""One each 20 ms, in all our codecs."""
HEADER_BYTES = 20 + 8 + 12
"""IPv4, UDP, RTP."""
TAG_BYTES = 10
"""SRTP's authentication tag of 80 bits (RFC 3711)."""
OVERHEAD_KBIT = PACKETS_A_SECOND * (HEADER_BYTES + TAG_BYTES) * 8 / 1000
CONTROL_KBIT = 1.0
"""RTCP, data channel and signalling."""
WEB_KBIT = 24.0 + OVERHEAD_KBIT + CONTROL_KBIT
"""A WebRTC call, one way: Opus at 24 kbit/s. No pause is counted off (DTX): it is a ceiling."""
PHONE_KBIT = 64.0 + OVERHEAD_KBIT + CONTROL_KBIT
"""A telephone call, one way: PCMU, which never pauses."""

RECORDING_KBIT = 48.0
"""Both voices in Opus."""
LOG_KB_PER_CALL_MINUTE = 4.0
"""Lines of the node's own log."""
FLOW_LOG_KB_PER_CALL_MINUTE = 0.5
"""Two records a minute for each of a call's two flows, some 110 bytes each."""
LOG_GB_PER_NODE = 0.6
"""A month of a node at rest: beats, health checks, their flows."""
ALARMS = 12
METRICS_PER_FLEET = 4
METRICS = 6
QUERIES_PER_CALL = 2.0
"""Of DNS."""
KEY_REQUESTS_PER_CALL = 2.0
NLB_UNIT_GB_HOUR = 1.0
"""A capacity unit of a network load balancer is 1 GB an hour (Elastic Load Balancing pricing)."""
ALB_UNIT_CONNECTIONS = 25.0
"""A capacity unit of an application load balancer is 25 new connections a second, or 1 GB."""
BEAT_KB = 1.0
"""A node's beat, once a second to every replica, with its answer."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is asked of a stack. Raises ``ValueError`` when a figure is out of its range."""

    hours_per_day: float = 24.0
    """How long all calls stand, each day; for the rest of it nobody calls."""
    phone_share: float | None = None
    """Of the calls; by default half where the stack has SIP, none where it has not."""
    turn_share: float = 0.05
    """Of the WebRTC calls, where the stack has relays."""
    recorded_share: float = 1.0
    """Of the calls."""
    call_minutes: float = 3.0
    """How long a call lasts."""

    def __post_init__(self) -> None:
        if not 0 < self.hours_per_day <= 24:
            raise ValueError("hours per day: more than 0, at most 24")
        for share in (self.phone_share or 0.0, self.turn_share, self.recorded_share):
            if not 0 <= share <= 1:
                raise ValueError("a share is 0 to 1")
        if not self.call_minutes > 0:
            raise ValueError("minutes of a call: more than 0")

    @property
    def busy(self) -> float:
        """The part of the month in which all calls stand."""
        return self.hours_per_day / 24


def gigabytes(kbit: float, minutes: float) -> float:
    """What ``minutes`` of ``kbit`` a second come to; a gigabyte is 10^9 bytes."""
    return kbit * 1000 / 8 * minutes * 60 / 1e9
