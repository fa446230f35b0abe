"""Every layer, in the order of the table in ``docs/residency.md``."""

from __future__ import annotations

from tests.layers.at_rest import DESTRUCTION, KEYS, SEALS
from tests.layers.deciding import BUNDLE, CONTROL_PLANE, EDGE, LAW
from tests.layers.in_motion import BARRIER, LOGS, OUTBOUND, PHONE
from tests.layers.layer import Layer
from tests.layers.moving import LIVE, RECORDING, REPLICAS
from tests.layers.proven import AUDIT, GATE, RECEIPTS

GROUPS: tuple[tuple[str, tuple[Layer, ...]], ...] = (
    ("The law", LAW),
    ("Signed bundles", BUNDLE),
    ("The control plane", CONTROL_PLANE),
    ("The edge's own word", EDGE),
    ("The law while a call goes on", LIVE),
    ("Carried conversations", REPLICAS),
    ("Recordings", RECORDING),
    ("Seals", SEALS),
    ("Keys", KEYS),
    ("Destruction", DESTRUCTION),
    ("What may leave", OUTBOUND),
    ("The barrier", BARRIER),
    ("Telephones", PHONE),
    ("Logs and crashes", LOGS),
    ("Receipts", RECEIPTS),
    ("The audit log", AUDIT),
    ("Provisioned stacks", GATE),
)
LAYERS: tuple[Layer, ...] = tuple(layer for _, layers in GROUPS for layer in layers)
