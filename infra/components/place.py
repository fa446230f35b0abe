"""Where a stack is made: what every name and ARN of it is computed from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One region of one account, for one stack. Imports nothing of Pulumi."""

    stack: str
    """``eu-central-1``, ``eu-central-1.clinic``, ``control-plane``."""
    region: str
    account_id: str
    jurisdiction: str
    """The body of law whose data the stack holds; ``none`` for the control plane."""
    partition: str = "aws"

    @property
    def slug(self) -> str:
        """The stack's name in names that take no dots.

        It always holds the region: names of roles and buckets are shared by all regions of an
        account, and the control plane is one stack in several of them.
        """
        words = self.stack.replace(".", "-")
        return words if self.stack.startswith(self.region) else f"{words}-{self.region}"
