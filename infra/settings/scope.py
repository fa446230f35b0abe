"""What a stack may be, for the residency rules."""

from __future__ import annotations

from infra.rules.model import Scope
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.names import parse_stack_name
from infra.settings.region import RegionStack


def scope_of(name: str, stack: RegionStack | ControlPlaneStack) -> Scope:
    """The regions and the account that stack ``name`` is kept to. Raises ``ConfigError``."""
    if isinstance(stack, ControlPlaneStack):
        regions = frozenset(replicas.region for replicas in stack.regions)
        return Scope("control-plane", regions, stack.account_id)
    return Scope("region", frozenset({parse_stack_name(name).region}), stack.account_id)
