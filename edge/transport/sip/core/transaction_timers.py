"""How long transactions wait, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransactionTimers:
    """RFC 3261 section 17 and its table 4. Times are in seconds."""

    t1: float = 0.5
    """Estimate of the round trip."""
    t2: float = 4.0
    """Longest pause between retransmissions of a non-INVITE request or an INVITE's response."""
    t4: float = 5.0
    """How long the network may hold a message."""
    auto_trying: bool = False
    """Answer every INVITE with 100 at once, not only after ``trying_after``."""
    trying_after: float = 0.2
    """When an INVITE that nobody has answered gets its 100 (section 17.2.1)."""
    max_servers: int = 20_000
    """Server transactions alive, a large request counting as several. Requests inside a dialog may
    take a quarter more, so that under a flood calls can still be ended."""
    max_of_source: int = 5_000
    """Of those, how many one host may have, so that one trunk's flood is not every trunk's."""
    stateless_per_second: float = 200.0
    """Answers given without a transaction, on average; bursts of one second's worth."""
    retry_after: int = 10
    """Seconds that a caller is told to wait when ``max_servers`` are alive."""

    @property
    def timeout(self) -> float:
        """64*T1: Timers B, D, F, H, J, L and M."""
        return 64 * self.t1

    @property
    def patience(self) -> float:
        """When Timer E has grown to T2: a non-INVITE that nobody has answered by then gets a 100,
        and none before (RFC 4320 section 4.1)."""
        waited, interval = 0.0, self.t1
        while interval < self.t2:
            waited += interval
            interval *= 2
        return waited


STANDARD = TransactionTimers()
"""The values of RFC 3261."""
