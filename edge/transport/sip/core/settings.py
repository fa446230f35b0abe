"""What the user agent offers, allows and bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.transport.sip.core.transaction_timers import TransactionTimers


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Times are in seconds."""

    transactions: TransactionTimers = field(default_factory=TransactionTimers)
    session_expires: int = 1800
    """The session interval that we ask for (RFC 4028); 0 asks for none."""
    min_se: int = 90
    """The shortest session interval that we accept (RFC 4028)."""
    allow_replaces: bool = False
    """Whether an INVITE with Replaces (RFC 3891) may take the place of a session. When not, the
    header means nothing, as to any user agent without the extension."""
    answer_seconds: float = 20.0
    """How long the owner may think about an offer inside a session before it is refused."""
    setup_seconds: float = 600.0
    """How long an INVITE may ring, either way. Owners have their own, shorter patience: this one
    sees to it that nothing stays for ever."""
    transfer_seconds: float = 120.0
    """How long a transfer may go without a word of how it goes."""
    max_sessions: int = 2_000
    max_forks: int = 8
    """Early dialogs of one INVITE of ours."""
    max_requests: int = 16
    """Requests of ours inside one session that are unanswered."""

    @property
    def least_interval(self) -> int:
        """``min_se``, not below what RFC 4028 section 5 allows."""
        return max(90, self.min_se)
