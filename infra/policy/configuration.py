"""What the policy pack is told of a stack, in the form of ``--policy-pack-config``.

Imports nothing of Pulumi: the gate writes it, the pack's process reads it.
"""

from __future__ import annotations

from typing import Any, Final

from infra.rules.model import Scope

RESOURCE_POLICY: Final = "residency-resource"
STACK_POLICY: Final = "residency-stack"


def pack_config(scope: Scope) -> dict[str, dict[str, Any]]:
    """Policy to its configuration, as ``infra.policy.pack.SCHEMA`` wants it."""
    told = {
        "kind": scope.kind,
        "regions": sorted(scope.regions),
        "accountId": scope.account_id,
    }
    return {RESOURCE_POLICY: told, STACK_POLICY: told}
