"""Which regions may take a call, and hold each class of its data: the law applied to a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from control_plane.tenants import Tenant
from regions.law import Law, both
from regions.models import Catalogue, DataClass, Operation, TenantPolicy
from regions.policy import Verdict, allowed_set

NEEDS: Mapping[DataClass, tuple[Operation, ...]] = {
    DataClass.AUDIO: (Operation.PROCESS,),
    DataClass.RECORDING: (Operation.PROCESS, Operation.STORE),
    DataClass.TRANSCRIPT: (Operation.PROCESS, Operation.STORE),
    DataClass.VARIABLES: (Operation.PROCESS, Operation.STORE),
    DataClass.METRICS: (Operation.PROCESS,),
    DataClass.ROUTING: (Operation.PROCESS,),
}
"""What a node does with each class while it serves a call."""
CALL = (DataClass.AUDIO, DataClass.TRANSCRIPT, DataClass.VARIABLES)
"""What every call brings: a region that may not have all three cannot take it."""
WITH_CALL = (*CALL, DataClass.RECORDING)
"""Classes that arise on the node that has the call, so only where the call may be."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the law and the tenant allow for one caller.

    ``verdicts`` has every region of the catalogue in its order; ``allowed`` are those that may
    take the call. ``classes`` maps each data class to the regions that may hold it.
    """

    jurisdictions: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    allowed: tuple[str, ...]
    classes: Mapping[DataClass, tuple[str, ...]]


def rule(
    catalogue: Catalogue, jurisdictions: tuple[str, ...], tenant: TenantPolicy, *, on: date
) -> Ruling:
    """Ask the policy about every class and operation of a call; one denial keeps a region out."""
    denied: dict[DataClass, dict[str, Verdict]] = {}
    granted: dict[str, Verdict] = {}
    for data_class, operations in NEEDS.items():
        refusals = denied.setdefault(data_class, {})
        for operation in operations:
            decision = allowed_set(catalogue, jurisdictions, tenant, data_class, operation, on=on)
            for verdict in decision.verdicts:
                if verdict.allowed:
                    granted.setdefault(verdict.region, verdict)
                else:
                    refusals.setdefault(verdict.region, verdict)
    verdicts = tuple(
        next(
            (denied[c][region.id] for c in CALL if region.id in denied[c]),
            granted.get(region.id) or Verdict(region.id, False, "no rule allows it"),
        )
        for region in catalogue.regions
    )
    allowed = tuple(verdict.region for verdict in verdicts if verdict.allowed)
    classes = {
        data_class: tuple(
            region.id
            for region in catalogue.regions
            if region.id not in refusals and (data_class not in WITH_CALL or region.id in allowed)
        )
        for data_class, refusals in denied.items()
    }
    return Ruling(jurisdictions, verdicts, allowed, classes)


class Rulings:
    """Remembers a day's rulings under one law: else they depend only on the tenants' file.

    What binds a tenant is its policy in that file and its contract in the bundle, both. The number
    of entries is bounded by tenants times jurisdictions and agents in that file.
    """

    def __init__(self, law: Law) -> None:
        self._law = law
        self._on = date.min
        self._known: dict[tuple[str, tuple[str, ...]], Ruling] = {}

    def of(self, tenant: Tenant, jurisdictions: tuple[str, ...], *, on: date) -> Ruling:
        """The ruling on a day for a caller of ``tenant`` whom ``jurisdictions`` bind."""
        if on != self._on:
            self._on, self._known = on, {}
        key = (tenant.id, jurisdictions)
        found = self._known.get(key)
        if found is None:
            found = rule(self._law.catalogue, jurisdictions, self._policy(tenant), on=on)
            self._known[key] = found
        return found

    def _policy(self, tenant: Tenant) -> TenantPolicy:
        """What binds the tenant. Adequacy has to stand in both, once there is a bundle to sign it:
        the nodes know no other contract."""
        if not self._law.serial:
            return tenant.policy
        return both(tenant.policy, self._law.contract(tenant.id))
