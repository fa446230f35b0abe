"""What the machines of a stack may do. Add the fence with ``infra.documents.fence.fenced``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.components.place import Place
from infra.documents.statements import Statement


@dataclass(frozen=True)
class EdgeRights:
    """What an edge fleet reaches: its own tenants' data and nothing of anybody else's."""

    tenants: Sequence[str]
    """Those that the fleet serves."""
    secrets: Sequence[str]
    """Names of secrets."""
    group: str
    """Its Auto Scaling group."""
    domain: str
    zone_id: str


def edge_node(place: Place, rights: EdgeRights) -> list[Statement]:
    """A node that takes calls."""
    raise NotImplementedError


def turn_node(place: Place, *, secrets: Iterable[str], group: str) -> list[Statement]:
    """A relay."""
    raise NotImplementedError


def control_plane_replica(place: Place, *, secrets: Iterable[str], group: str) -> list[Statement]:
    """A replica of the control plane."""
    raise NotImplementedError
