"""What is said of a call that an agent is to make."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from edge.phone.orders import CallOrder
from inland.caller.options import TIMEOUT_SECONDS, CallOptions

RING_SECONDS = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """``call`` says who is asked where the call may start; ``ring`` is in seconds.

    Raises ``ValueError``, whose message names the option, for anything that cannot be right.
    """

    to: str
    trunk: str
    caller_id: str | None = None
    ring: int = RING_SECONDS
    call: CallOptions = field(default_factory=lambda: CallOptions(timeout=TIMEOUT_SECONDS))

    def __post_init__(self) -> None:
        if not 5 <= self.ring <= 180:
            raise ValueError("--ring: between 5 and 180 seconds")
        self._checked()

    @property
    def order(self) -> CallOrder:
        """The body of ``POST /v1/calls``."""
        return CallOrder(
            to=self.to, trunk=self.trunk, caller_id=self.caller_id, ring_seconds=self.ring
        )

    def _checked(self) -> None:
        names = {"to": "TARGET", "trunk": "--trunk", "caller_id": "--caller-id"}
        try:
            _ = self.order
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            option = names.get(str(first["loc"][0]), "--ring")
            raise ValueError(f"{option}: {first['input']!r} cannot be right") from None
