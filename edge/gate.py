"""What the dispatcher of a node decides with."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.audit_trail import Audit, Unaudited
from edge.beat import NodeLoad
from edge.clock import Clock
from edge.jwks import KeyCache
from edge.law import LawInForce
from edge.phone.switchboard import Switchboard
from edge.policy_keeper import PolicyKeeper
from edge.pool import WorkerPool
from edge.session.resume import ResumeTokens
from edge.settings import NodeSettings
from edge.tenancy import Tenancy
from edge.turn import Relays


@dataclass(slots=True)
class Gate:
    """What the signalling of a node needs to decide and to pass calls on."""

    settings: NodeSettings
    law: LawInForce
    pool: WorkerPool
    keys: KeyCache
    resume: ResumeTokens
    clock: Clock
    tenancy: Tenancy
    receipt_key: Ed25519PublicKey
    """What the region's receipts are verified with."""
    operator: bytes
    """SHA-256 of the node secret, by which operators ask for receipts."""
    audit: Audit = field(default_factory=Unaudited)
    draining: bool = False
    phone: Switchboard | None = None
    relays: Relays | None = None
    policy: PolicyKeeper | None = None
    """Looks for newer law; None on a node that keeps the catalogue of its settings."""

    @property
    def lawful(self) -> bool:
        """Whether it is known by which law calls are to be held."""
        return self.policy is None or self.policy.settled.is_set()

    def load(self) -> NodeLoad:
        """What the control plane is told; a node that could not open a session takes no calls."""
        pool = self.pool
        takes = pool.ready and pool.store_answers and self.lawful and not self.draining
        return NodeLoad(pool.capacity, pool.active, draining=not takes)
