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
    REFUSALS_METRIC,
    RESPONSE_METRIC,
)

COLUMNS = 24
WIDTH, HEIGHT = 8, 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a stack has to show. ``edges`` and ``groups`` are names of Auto Scaling groups."""

    region: str
    groups: Sequence[str]
    edges: Sequence[str] = ()
    targets: Sequence[tuple[str, pulumi.Input[str], pulumi.Input[str]]] = ()
    """Per door: its name, and how CloudWatch calls the balancer and the target group."""
    members: Sequence[str] = ()
    """Machines of the store."""


def dashboard_body(shown: Shown) -> pulumi.Output[str]:
    """Calls, media, answers, nodes, network, doors and store, three graphs a row."""
    inland = (
        ("Calls per node", ACTIVE_METRIC, "Average"),
        ("Late media ticks a minute", LATE_METRIC, "Maximum"),
        ("Seconds to the agent's answer", RESPONSE_METRIC, "Average"),
        ("Calls turned away a minute", REFUSALS_METRIC, "Sum"),
    )
    machines = (
        ("Bytes received a minute", "NetworkIn", "Sum"),
        ("Bytes sent a minute", "NetworkOut", "Sum"),
        ("Processor, percent", "CPUUtilization", "Average"),
    )
    store = (
        ("Store: memory, percent", "DatabaseMemoryUsagePercentage", "Maximum"),
        ("Store: processor, percent", "EngineCPUUtilization", "Average"),
    )
    graphs = [_graph(shown, title, _inland(shown, one), how) for title, one, how in inland]
    graphs.append(
        _graph(shown, "Nodes in service", _groups(shown, "GroupInServiceInstances"), "Average")
    )
    graphs += [_graph(shown, title, _machines(shown, one), how) for title, one, how in machines]
    graphs += [_graph(shown, title, _store(shown, one), how) for title, one, how in store]
    graphs.append(_graph(shown, "Healthy nodes behind the balancer", _doors(shown), "Minimum"))
    # A stack without calls, store or balancer shows no empty graph of them.
    graphs = [graph for graph in graphs if graph["metrics"]]
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
