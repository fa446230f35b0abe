"""What the law in force means for a session that lies in a region's store: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from edge.admission import HELD, lawful_regions
from edge.policy_live import STORED
from regions.law import Law
from regions.models import DataClass, Operation
from regions.policy import allowed_set


def rule_at_rest(
    held: Mapping[DataClass, tuple[str, ...]],
    jurisdictions: tuple[str, ...],
    law: Law,
    *,
    tenant: str,
    region: str,
    on: date,
) -> dict[DataClass, str]:
    """Why ``region`` may not keep a session's data on that day, by class; nothing for what it may.

    ``held`` are the classes that are kept, with the regions that were once allowed to: a bound, as
    it is for a live call. A class is kept where it may be stored *and* processed, as by
    :func:`edge.policy_live.rule_live`.
    """
    lawful = lawful_regions(held, jurisdictions, law, tenant=tenant, on=on)
    return {
        data_class: _reason(data_class, jurisdictions, law, tenant, region, on)
        for data_class in STORED
        if data_class in held and region not in lawful[data_class]
    }


def _reason(
    data_class: DataClass,
    jurisdictions: tuple[str, ...],
    law: Law,
    tenant: str,
    region: str,
    on: date,
) -> str:
    contract = law.contract(tenant)
    for operation in sorted(HELD[data_class], key=lambda each: each is not Operation.STORE):
        ruling = allowed_set(law.catalogue, jurisdictions, contract, data_class, operation, on=on)
        verdict = next((each for each in ruling.verdicts if each.region == region), None)
        if verdict is None:
            return f"the law in force has no region {region}"
        if not verdict.allowed:
            return f"{operation}: {verdict.reason}"
    return f"its residency tag does not list {region}"
