"""What machines are told in these tests, and the cloud that they ask."""

from __future__ import annotations

from infra.cloud_init.document import (
    Bundle,
    ControlPlaneRole,
    EdgeRole,
    Lifecycle,
    NodeDocument,
    SessionKeys,
    StoreAddress,
    TurnRole,
)
from inland.fleet.metadata import Machine

INSTANCE = "i-0123456789abcdef0"
MACHINE = Machine(
    instance_id=INSTANCE,
    region="eu-central-1",
    local_ipv4="10.20.0.10",
    public_ipv4="203.0.113.10",
    cpus=4,
)
EDGE = EdgeRole(
    control_planes=("https://a.eu-central-1.voice.example.org",),
    store=StoreAddress(
        host="store.example.org",
        cache="inland-eu-central-1",
        users={"acme": "inland-acme", "clinic": "inland-clinic"},
    ),
    data_networks=("10.20.240.0/24", "10.20.241.0/24"),
    session_keys=SessionKeys(account="111122223333", prefix="alias/inland/eu-central-1/"),
    calls=100,
    media_ports=(20_000, 29_999),
    node_secret="inland/eu-central-1/node-secret",
    region_key="inland/eu-central-1/region-key",
    certificate="arn:aws:acm:eu-central-1:111122223333:certificate/none",
)
TURN = TurnRole(
    turn_secret="inland/eu-central-1/turn",
    relay_ports=(49_152, 49_251),
    peers=("10.20.0.16/28",),
)
CONTROL_PLANE = ControlPlaneRole(
    signing_key="inland/control-plane/eu-central-1/a/signing-key",
    operator_key="inland/control-plane/eu-central-1/operator-key",
    node_secrets={"eu-central-1": ("1" * 64,), "ap-south-1": ("2" * 64, "3" * 64)},
    replica_urls=(),
)


def document(
    role: EdgeRole | TurnRole | ControlPlaneRole = EDGE, *, endpoint: str | None = None
) -> NodeDocument:
    """A machine of the stack eu-central-1."""
    return NodeDocument(
        stack="eu-central-1",
        region="eu-central-1",
        domain="eu.voice.example.org",
        zone_id="Z0123456789ABCDEFGHIJ",
        bundle=Bundle(
            bucket="inland-software-111122223333-eu-central-1", release="a" * 64, site="b" * 64
        ),
        lifecycle=Lifecycle(
            group="inland-edge",
            launch_hook="inland-launch",
            terminate_hook="inland-drain",
            drain_seconds=900,
        ),
        endpoint=endpoint,
        role=role,
    )
