"""Bundles and what they change, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from control_plane.ruling import rule
from inland.policy.changes import Change
from inland.table import print_table
from regions.bundle import Body
from regions.law import UNBOUND
from regions.models import DataClass, TenantPolicy

ANYONE = "(any other)"
"""Stands for every tenant without a contract."""
NOWHERE = "nowhere"
MOST_WARNED = 8
"""A warning is one line that somebody reads to its end."""


def summary(body: Body) -> str:
    """One line."""
    return (
        f"number {body.serial}, policy {body.law().policy}: {len(body.catalogue.regions)} regions, "
        f"{len(body.contracts)} contracts, {len(body.replica_keys)} replica keys"
    )


def issued(body: Body) -> str:
    """When it was signed, by its own account (UTC)."""
    try:
        return datetime.fromtimestamp(body.issued_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{body.issued_at} s after 1970"


def print_body(body: Body, on: date) -> None:
    """Where each tenant's calls and recordings may be, law by law."""
    print(f"bundle      {summary(body)}")
    print(f"signed      {issued(body)}")
    print(f"holds on    {on}\n")
    rows: dict[str, list[tuple[str, str]]] = {}
    for tenant, law, regions in _allowed(body, on):
        words = _where(regions)
        rows.setdefault(tenant or ANYONE, []).extend([(law, words)] if words != NOWHERE else [])
    table = [
        (tenant, law, words)
        for tenant, found in rows.items()
        for law, words in (*found, ("other", NOWHERE))
    ]
    print_table(("tenant", "law", "calls may be in"), table)


def body_as_json(body: Body, on: date) -> dict[str, object]:
    """The same, for programs: for each data class the regions that may hold it."""
    tenants: dict[str, dict[str, dict[str, list[str]]]] = {}
    for tenant, law, regions in _allowed(body, on):
        found = {data_class.value: list(names) for data_class, names in regions.items()}
        tenants.setdefault(tenant or "", {})[law] = found
    return {
        "serial": body.serial,
        "issued_at": body.issued_at,
        "policy": body.law().policy,
        "on": on.isoformat(),
        "regions": [region.id for region in body.catalogue.regions],
        "contracts": {
            name: contract.model_dump(mode="json", exclude_defaults=True)
            for name, contract in body.contracts.items()
        },
        "replica_keys": sorted(body.replica_keys),
        "allowed": tenants.pop("", {}),
        "allowed_under_contract": tenants,
    }


def wider(found: Iterable[Change]) -> bool:
    """Whether anything is allowed that was not."""
    return any(change.wins for change in found)


def print_changes(found: Sequence[Change], notes: Sequence[str]) -> None:
    """One row for all data that loses and wins the same regions."""
    rows: dict[tuple[str, str, str], list[Change]] = {}
    for change in found:
        moved = [f"loses {', '.join(change.loses)}"] if change.loses else []
        moved += [f"WINS {', '.join(change.wins)}"] if change.wins else []
        key = (change.tenant or ANYONE, change.subject.words, " and ".join(moved))
        rows.setdefault(key, []).append(change)
    if rows:
        print_table(
            ("tenant", "law", "what changes"),
            [(who, law, f"{moved}; {data_of(same)}") for (who, law, moved), same in rows.items()],
        )
    else:
        print("no region is lost or won by anybody")
    for note in notes:
        print(note)


def changes_as_json(found: Iterable[Change]) -> list[dict[str, object]]:
    """Each change by itself."""
    return [
        {
            "tenant": change.tenant,
            "law": change.subject.words,
            "class": change.data_class.value,
            "operation": change.operation.value,
            "loses": list(change.loses),
            "wins": list(change.wins),
        }
        for change in found
    ]


def warning(found: Sequence[Change]) -> str:
    """What an operator must not overlook; empty when nothing is wider."""
    won = dict.fromkeys(
        f"{change.tenant or ANYONE} under {change.subject.words}: {', '.join(change.wins)}"
        for change in found
        if change.wins
    )
    if not won:
        return ""
    more = [f"and {len(won) - MOST_WARNED} more: see `inland policy diff`"]
    return "WIDER than before: " + "; ".join(
        [*won][:MOST_WARNED] + (more if len(won) > MOST_WARNED else [])
    )


def data_of(found: Iterable[Change]) -> str:
    """Which data and what is done with it: ``audio process; recording process, store``."""
    operations: dict[DataClass, list[str]] = {}
    for change in found:
        operations.setdefault(change.data_class, []).append(change.operation.value)
    same: dict[str, list[str]] = {}
    for data_class, names in operations.items():
        same.setdefault(", ".join(names), []).append(data_class.value)
    return "; ".join(f"{', '.join(classes)}: {names}" for names, classes in same.items())


def _allowed(
    body: Body, on: date
) -> Iterator[tuple[str | None, str, dict[DataClass, tuple[str, ...]]]]:
    contracts: list[tuple[str | None, TenantPolicy]] = [(None, UNBOUND)]
    contracts += sorted(body.contracts.items())
    # Many tenants have the same contract, and a ruling takes milliseconds.
    seen: dict[tuple[str, str], dict[DataClass, tuple[str, ...]]] = {}
    for tenant, contract in contracts:
        words = contract.model_dump_json()
        for law in body.catalogue.jurisdictions:
            if (words, law.id) not in seen:
                ruling = rule(body.catalogue, (law.id,), contract, on=on)
                seen[words, law.id] = {**ruling.classes, DataClass.AUDIO: ruling.allowed}
            yield tenant, law.id, seen[words, law.id]


def _where(regions: dict[DataClass, tuple[str, ...]]) -> str:
    calls, recordings = regions[DataClass.AUDIO], regions[DataClass.RECORDING]
    words = _list(calls)
    return words if recordings == calls else f"{words}; recordings: {_list(recordings)}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or NOWHERE
