"""Where things are on a machine of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infra.cloud_init.document import STATE_PATH


@dataclass(frozen=True, slots=True)
class Places:
    """Folders: ``run`` for what is written at each start, ``site`` for what the operator ships,
    ``state`` for what outlives a restart of the machine."""

    run: Path
    site: Path
    state: Path = Path(STATE_PATH)

    @property
    def edge(self) -> Path:
        return self.run / "edge.yaml"

    @property
    def control_plane(self) -> Path:
        return self.run / "control-plane.yaml"

    @property
    def turnserver(self) -> Path:
        return self.run / "turnserver.conf"

    @property
    def environment(self) -> Path:
        return self.run / "environment"

    @property
    def certificate(self) -> Path:
        return self.run / "certificate.pem"

    @property
    def certificate_key(self) -> Path:
        return self.run / "certificate.key"

    @property
    def node_secret(self) -> Path:
        return self.run / "node-secret"

    @property
    def turn_secret(self) -> Path:
        return self.run / "turn-secret"

    @property
    def region_key(self) -> Path:
        return self.run / "region.key"

    @property
    def drain(self) -> Path:
        """See ``infra.cloud_init.document.DRAIN_PATH``."""
        return self.run / "drain"

    @property
    def journal_cursor(self) -> Path:
        """Up to where the journal has been shipped."""
        return self.run / "journal-cursor"

    @property
    def audit(self) -> Path:
        """The node's audit log."""
        return self.state / "audit.jsonl"

    @property
    def audit_heads(self) -> Path:
        """Its signed heads."""
        return self.state / "audit.heads"

    @property
    def data(self) -> Path:
        """What a node that keeps its sessions elsewhere has of its own: the last policy bundle."""
        return self.state / "data"

    @property
    def policy_bundle(self) -> Path:
        """The law that the control plane rules by, as the operator signed it."""
        return self.run / "policy.bundle"

    @property
    def policy_state(self) -> Path:
        """The last law that was in force here."""
        return self.state / "policy.state"

    def shipped(self, file: Path) -> Path:
        """How much of a file of ``state`` has been shipped."""
        return self.state / f"{file.name}.shipped"

    def published_key(self, number: int) -> Path:
        """The public key of another replica."""
        return self.run / f"published-{number}.pem"

    @property
    def signing_key(self) -> Path:
        return self.run / "signing.key"
