"""Whose policy bundles a node goes by, and where it looks for them: the section ``policy``."""

from __future__ import annotations

from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from edge.section import HomePath, Section
from regions.policy_keys import PolicyKeyText, policy_key


class PolicySettings(Section):
    """Without the section a node rules by its ``catalogue`` for as long as it runs."""

    keys: Annotated[tuple[PolicyKeyText, ...], Field(min_length=1, max_length=8)]
    """Public keys of the operator; a bundle that none of them signed is refused."""
    file: HomePath | None = None
    """Look here for bundles, for sites that reach no control plane; else ask the control planes."""
    refresh_seconds: Annotated[float, Field(ge=1.0, le=15.0)] = 15.0
    """Between two looks; a heartbeat's answer that names a newer bundle brings one at once. It is
    bounded so that no call outlasts a tightened law by a minute."""

    @property
    def trusted(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys, read."""
        return tuple(policy_key(text) for text in self.keys)
