"""The dashboard of a stack, as the JSON that CloudWatch takes.

Form: Amazon CloudWatch API reference, "Dashboard body structure and syntax" (2026-11-21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.cloud_init.document import (
    ACTIVE_METRIC,
    LATE_METRIC,
    METRIC_NAMESPACE,
    RESPONSE_METRIC,
)

COLUMNS = 24
WIDTH, HEIGHT = 8, 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a stack has to show. ``edges`` and ``groups`` are names of Auto Scaling groups."""

    region: str
    edges: Sequence[str]
    groups: Sequence[str]
    targets: Sequence[tuple[str, pulumi.Input[str], pulumi.Input[str]]]
    """Per door: its name, and how CloudWatch calls the balancer and the target group."""
    members: Sequence[str]
    """Machines of the store."""


def dashboard_body(shown: Shown) -> pulumi.Output[str]:
    """Calls, media, answers, nodes, network, doors and store, three graphs a row."""
    graphs = [
        _graph(shown, "Calls per node", _inland(shown, ACTIVE_METRIC), "Average"),
        _graph(shown, "Late media ticks a minute", _inland(shown, LATE_METRIC), "Maximum"),
        _graph(shown, "Seconds to the agent's answer", _inland(shown, RESPONSE_METRIC), "Average"),
        _graph(shown, "Nodes in service", _groups(shown, "GroupInServiceInstances"), "Average"),
        _graph(shown, "Bytes received a minute", _machines(shown, "NetworkIn"), "Sum"),
        _graph(shown, "Bytes sent a minute", _machines(shown, "NetworkOut"), "Sum"),
        _graph(shown, "Processor, percent", _machines(shown, "CPUUtilization"), "Average"),
        _graph(
            shown,
            "Store: memory, percent",
            _store(shown, "DatabaseMemoryUsagePercentage"),
            "Maximum",
        ),
        _graph(
            shown, "Store: processor, percent", _store(shown, "EngineCPUUtilization"), "Average"
        ),
    ]
    if shown.targets:
        graphs.append(_graph(shown, "Healthy nodes behind the balancer", _doors(shown), "Minimum"))
    across = COLUMNS // WIDTH
    widgets = [
        {
            "type": "metric",
            "x": index % across * WIDTH,
            "y": index // across * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": graph,
        }
        for index, graph in enumerate(graphs)
    ]
    return pulumi.Output.json_dumps({"widgets": widgets})


def _graph(shown: Shown, title: str, metrics: list[list[Any]], statistic: str) -> dict[str, Any]:
    return {
        "title": title,
        "region": shown.region,
        "view": "timeSeries",
        "stat": statistic,
        "period": 60,
        "metrics": metrics,
    }


def _inland(shown: Shown, metric: str) -> list[list[Any]]:
    return [[METRIC_NAMESPACE, metric, "AutoScalingGroupName", group] for group in shown.edges]


def _groups(shown: Shown, metric: str) -> list[list[Any]]:
    return [["AWS/AutoScaling", metric, "AutoScalingGroupName", group] for group in shown.groups]


def _machines(shown: Shown, metric: str) -> list[list[Any]]:
    return [["AWS/EC2", metric, "AutoScalingGroupName", group] for group in shown.groups]


def _store(shown: Shown, metric: str) -> list[list[Any]]:
    return [["AWS/ElastiCache", metric, "CacheClusterId", member] for member in shown.members]


def _doors(shown: Shown) -> list[list[Any]]:
    return [
        [
            "AWS/NetworkELB",
            "HealthyHostCount",
            "LoadBalancer",
            balancer,
            "TargetGroup",
            group,
            {"label": door},
        ]
        for door, balancer, group in shown.targets
    ]
