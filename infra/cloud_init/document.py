"""What a node is told by its user data. Nothing in it is secret: it says where secrets are.

The stack's program writes it, ``inland fleet`` on the node reads it. Imports nothing of Pulumi.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from regions.models import Id, Strict
from regions.policy_keys import PolicyKeyText

DOCUMENT_PATH = "/etc/inland/node.json"
SITE_PATH = "/opt/inland/site"
"""Where the site bundle is unpacked: ``agents/*.yaml``, ``phone.yaml``, ``tenants.yaml``,
``catalogue.yaml``, ``providers.yaml``; a file that a role does not need may be absent."""
VENV_PATH = "/opt/inland/venv"
RUN_PATH = "/run/inland"
"""A tmpfs, 0700, of user ``inland``: settings and secrets written at each start."""
STATE_PATH = "/var/lib/inland"
"""On the machine's disk, which is sealed, 0700, of user ``inland``: the audit log."""
DRAIN_PATH = "/run/inland/drain"
"""A file that the agent writes to ask for the drain: a root unit that waits for it stops the node's
service, and nothing else. So the agent needs no privilege, and whoever takes the agent over gets
none."""
ENVIRONMENT_PATH = "/run/inland/environment"
"""Variables of the node's service (systemd's EnvironmentFile), for secrets that are read from
there; may be absent."""
POLICY_OBJECT = "policy/policy.bundle"
"""Where in the software bucket of a control plane the operator publishes the policy bundle."""
METRIC_NAMESPACE = "Inland"
"""Metrics of a node's agent, each minute, by ``AutoScalingGroupName``."""
ACTIVE_METRIC = "ActiveCallsPerNode"
"""Calls now, over all workers."""
LATE_METRIC = "LateMediaTicks"
"""Media ticks of the last minute that came a frame late, over all workers."""
REFUSALS_METRIC = "Refusals"
"""Calls of the last minute that the node turned away, over all reasons."""
RESPONSE_METRIC = "ResponseSeconds"
"""Mean of the last minute's answers, from the caller's last audible frame to the agent's first
packet; not sent in a minute without an answer."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def node_log_group(stack: str) -> str:
    """The log group that the node's agent ships the JSON lines of Inland's services to.

    A stream is called ``<instance>/<unit>``.
    """
    return f"/inland/{stack}/node"


def audit_log_group(stack: str) -> str:
    """The log group that the agents of nodes that take calls ship their audit logs to.

    Streams are called ``<instance>/audit`` and ``<instance>/heads``.
    """
    return f"/inland/{stack}/audit"


class Bundle(Strict):
    """A tar in a bucket, known by its digest. Keys: ``software/<sha256>.tar``."""

    bucket: str
    release: Sha256
    site: Sha256


class StoreAddress(Strict):
    """Where the sessions are kept, and as whom the node logs in (IAM, no password)."""

    host: str
    port: int = 6379
    cache: str
    """The replication group's name, which the login is signed for."""
    users: dict[Id, str] = Field(min_length=1)
    """Tenant to the store user that may see its keys only."""


class SessionKeys(Strict):
    """The keys of AWS KMS that wrap the keys of sessions: one for each tenant of the store."""

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    """The account whose keys count."""
    prefix: Annotated[str, StringConstraints(pattern=r"^alias/inland/[a-z0-9/-]{1,120}/$")]
    """What a key's alias is called before the tenant's name."""

    def alias(self, tenant: str) -> str:
        """Of the key for the sessions of ``tenant``."""
        return self.prefix + tenant


class RecordingsPlace(Strict):
    """Where the fleet's recordings are kept."""

    bucket: str
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    """What their names begin with: a fleet looks after its own."""
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    key: str
    """ARN of the key that S3 seals them with."""
    days: int = Field(ge=1)
    """At most."""


class Lifecycle(Strict):
    """The Auto Scaling group that the node belongs to, and the hooks that wait for it."""

    group: str
    launch_hook: str
    terminate_hook: str
    drain_seconds: int


class EdgeRole(Strict):
    """A node that takes calls."""

    role: Literal["edge"] = "edge"
    control_planes: tuple[str, ...] = Field(min_length=1)
    store: StoreAddress
    data_networks: tuple[str, ...] = Field(min_length=1)
    """Of the stack's own: where the store and the endpoints of AWS's services stand."""
    session_keys: SessionKeys
    recordings: RecordingsPlace | None = None
    """Without it no agent may record."""
    policy_keys: tuple[PolicyKeyText, ...] = ()
    """Whose policy bundles it goes by; without any its catalogue is the law."""
    tenants: tuple[Id, ...] | None = None
    """The only tenants that this fleet serves; None: every tenant without a fleet of its own."""
    calls: int
    """Calls that the node takes at most, over all its workers."""
    media_ports: tuple[int, int]
    node_secret: str
    """Name of the secret by which nodes of the region may beat."""
    region_key: str
    """Name of the secret that holds the region's key file."""
    phone_secret: str | None = None
    """Name of the secret with the telephone passwords: a JSON object, variable to value."""
    certificate: str
    """ARN of the exportable certificate for ``*.<domain>``."""
    turn_secret: str | None = None
    """Name of the secret that TURN credentials are made with; ``turn.<domain>`` then relays."""


class TurnRole(Strict):
    """A relay for callers without UDP (coturn)."""

    role: Literal["turn"] = "turn"
    turn_secret: str
    relay_ports: tuple[int, int]
    peers: tuple[str, ...] = Field(min_length=1)
    """The only networks it relays to."""


class ControlPlaneRole(Strict):
    """A replica of the control plane."""

    role: Literal["control-plane"] = "control-plane"
    signing_key: str
    """Name of the secret with the Ed25519 key (PEM) that signs route tokens."""
    operator_key: str
    """Name of the secret with the SHA-256 of the operator's key."""
    node_secrets: dict[Id, tuple[Sha256, ...]]
    """Region to the SHA-256 of the secrets by which its nodes may beat."""
    policy_keys: tuple[PolicyKeyText, ...] = ()
    """Who may sign the law; without any it is the catalogue."""
    replica_urls: tuple[str, ...]
    """Every replica, this one included: where their public keys are read."""


class NodeDocument(Strict):
    """All that the machine is told."""

    version: Literal[1] = 1
    stack: str
    region: Id
    domain: str
    zone_id: str
    bundle: Bundle
    lifecycle: Lifecycle
    health_port: int = 8080
    """Plain HTTP for the load balancer and the node's own agent, from inside the VPC only."""
    endpoint: str | None = None
    """Another address of the AWS API and of the instance metadata, for rehearsals."""
    role: EdgeRole | TurnRole | ControlPlaneRole = Field(discriminator="role")
