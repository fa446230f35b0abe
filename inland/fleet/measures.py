"""A node's metrics, from its exposition to CloudWatch's data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from infra.cloud_init.document import (
    ACTIVE_METRIC,
    LATE_METRIC,
    REFUSALS_METRIC,
    RESPONSE_METRIC,
)

DIMENSION = "AutoScalingGroupName"
_ACTIVE = "inland_calls_active"
_LATE = "inland_media_late_ticks"
_REFUSALS = frozenset({"inland_refusals_total", "inland_phone_refusals_total"})
_RESPONSES = "inland_response_seconds_count"
_RESPONSE_SUM = "inland_response_seconds_sum"
_COUNTED = _REFUSALS | {_LATE, _RESPONSES, _RESPONSE_SUM}

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One look: the calls now, and what only grows while its worker lives, by series."""

    active: int
    counted: Mapping[Key, float]


def read_exposition(text: str) -> Reading:
    """Read Prometheus' text format. Raises ``ValueError`` when it is something else."""
    active = 0.0
    counted: dict[Key, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _ACTIVE:
                active += sample.value
            elif sample.name in _COUNTED:
                counted[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return Reading(int(active), counted)


def metric_data(
    before: Reading | None, now: Reading, group: str, at: float, *, serving: bool
) -> list[dict[str, Any]]:
    """``MetricData`` for what is now and what grew since ``before``.

    The calls are told while the node serves only: one that drains has no room, and its calls would
    hold the group's mean up or down. ``at`` is Unix time.
    """
    found: list[tuple[str, float, str]] = []
    if serving:
        found.append((ACTIVE_METRIC, now.active, "Count"))
    if before is not None:
        grown = _grown(before, now)
        found.append((LATE_METRIC, grown[_LATE], "Count"))
        found.append((REFUSALS_METRIC, sum(grown[name] for name in _REFUSALS), "Count"))
        if grown[_RESPONSES] > 0:
            mean = grown[_RESPONSE_SUM] / grown[_RESPONSES]
            found.append((RESPONSE_METRIC, mean, "Seconds"))
    dimensions = [{"Name": DIMENSION, "Value": group}]
    return [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": at,
            "Value": float(value),
            "Unit": unit,
        }
        for name, value, unit in found
    ]


def _grown(before: Reading, now: Reading) -> defaultdict[str, float]:
    """Growth by name. A series that fell, or is new, belongs to a worker that began at nothing."""
    grown: defaultdict[str, float] = defaultdict(float)
    for key, value in now.counted.items():
        last = before.counted.get(key, 0.0)
        grown[key[0]] += value - last if value >= last else value
    return grown
