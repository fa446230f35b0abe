"""What is watched: alarms as plain data, apart from how Pulumi makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi

from infra.cloud_init.document import ACTIVE_METRIC, LATE_METRIC, METRIC_NAMESPACE

CAPACITY_SHARE = 0.85
"""Of the calls that a node takes: a fleet that stays above it grows too slowly or not at all."""
LATE_TICKS = 150.0
"""A minute and node: every twentieth, if one worker is late; a worker makes 3,000 a minute."""
STORE_MEMORY_PERCENT = 75.0
STORE_CPU_PERCENT = 80.0
CERTIFICATE_DAYS = 40.0
"""ACM renews 45 to 60 days before the end, and nodes read what it renewed when they start, which
they do every 30 days."""

Comparison = Literal["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"]
Statistic = Literal["Average", "Maximum", "Minimum", "Sum"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """``name`` follows ``inland-<slug>-``; it goes off after ``minutes`` beyond ``threshold``."""

    name: str
    words: str
    """What is wrong, and what to look at; in the mail."""
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: Statistic
    comparison: Comparison
    threshold: float
    minutes: int
    silence: Literal["breaching", "notBreaching"] = "notBreaching"
    """What a metric means that nobody sends."""
    period_minutes: int = 1


def fleet_alarms(of: str, group: pulumi.Input[str], calls_per_node: int | None) -> list[Alarm]:
    """Of a fleet; ``calls_per_node`` only where its nodes take calls."""
    dimensions = {"AutoScalingGroupName": group}
    found = [
        Alarm(
            name=f"{of}-none-in-service",
            words="No node of the fleet is in service. See the group's activity history, then the "
            "console output of its newest instance.",
            namespace="AWS/AutoScaling",
            metric="GroupInServiceInstances",
            dimensions=dimensions,
            statistic="Minimum",
            comparison="LessThanThreshold",
            threshold=1,
            minutes=3,
            silence="breaching",
        )
    ]
    if calls_per_node is not None:
        found += _call_alarms(of, dimensions, calls_per_node)
    return found


def _call_alarms(
    of: str, dimensions: Mapping[str, pulumi.Input[str]], calls_per_node: int
) -> list[Alarm]:
    return [
        Alarm(
            name=f"{of}-capacity",
            words="Nodes are nearly full, or have stopped to report their calls, without which the "
            "fleet does not grow. Raise nodes.max, or see inland-agent on a node.",
            namespace=METRIC_NAMESPACE,
            metric=ACTIVE_METRIC,
            dimensions=dimensions,
            statistic="Average",
            comparison="GreaterThanThreshold",
            threshold=calls_per_node * CAPACITY_SHARE,
            minutes=3,
            silence="breaching",
        ),
        Alarm(
            name=f"{of}-late-media",
            words="Callers hear gaps: nodes send media late. Lower callsPerNode, or take a larger "
            "instance type.",
            namespace=METRIC_NAMESPACE,
            metric=LATE_METRIC,
            dimensions=dimensions,
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=LATE_TICKS,
            minutes=3,
        ),
    ]


def target_alarm(door: str, balancer: pulumi.Input[str], targets: pulumi.Input[str]) -> Alarm:
    """Nodes behind a door of the load balancer that do not answer it."""
    return Alarm(
        name=f"{door}-unhealthy",
        words="A node behind the load balancer has not been ready for ten minutes, and was not "
        "replaced. See its /readyz.",
        namespace="AWS/NetworkELB",
        metric="UnHealthyHostCount",
        dimensions={"LoadBalancer": balancer, "TargetGroup": targets},
        statistic="Maximum",
        comparison="GreaterThanThreshold",
        threshold=0,
        minutes=10,
    )


def replica_alarm(of: str, balancer: pulumi.Input[str], targets: pulumi.Input[str]) -> Alarm:
    """A replica of the control plane that its load balancer does not reach."""
    return Alarm(
        name=f"{of}-away",
        words="A replica of the control plane has not answered for ten minutes: nodes cannot beat "
        "to it. The other replicas place callers meanwhile. See its console output.",
        namespace="AWS/ApplicationELB",
        metric="HealthyHostCount",
        dimensions={"LoadBalancer": balancer, "TargetGroup": targets},
        statistic="Maximum",
        comparison="LessThanThreshold",
        threshold=1,
        minutes=10,
        silence="breaching",
    )


def store_alarms(member: str) -> list[Alarm]:
    """Of one machine of the store, ``<replication group>-001`` say."""
    dimensions = {"CacheClusterId": member}
    return [
        Alarm(
            name=f"store-{member[-3:]}-memory",
            words="The session store fills up: it refuses to write when it is full. Take a larger "
            "nodeType.",
            namespace="AWS/ElastiCache",
            metric="DatabaseMemoryUsagePercentage",
            dimensions=dimensions,
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=STORE_MEMORY_PERCENT,
            minutes=5,
            silence="breaching",
        ),
        Alarm(
            name=f"store-{member[-3:]}-cpu",
            words="The session store is nearly out of processor time: turns are committed late. "
            "Take a larger nodeType.",
            namespace="AWS/ElastiCache",
            metric="EngineCPUUtilization",
            dimensions=dimensions,
            statistic="Average",
            comparison="GreaterThanThreshold",
            threshold=STORE_CPU_PERCENT,
            minutes=5,
        ),
    ]


def certificate_alarm(certificate: pulumi.Input[str]) -> Alarm:
    """The certificate was not renewed."""
    return Alarm(
        name="certificate",
        words="The certificate was not renewed: the record that proves the domain to ACM is gone, "
        "or a CAA record excludes Amazon. Nodes refuse callers once it has run out.",
        namespace="AWS/CertificateManager",
        metric="DaysToExpiry",
        dimensions={"CertificateArn": certificate},
        statistic="Minimum",
        comparison="LessThanThreshold",
        threshold=CERTIFICATE_DAYS,
        minutes=1440,
        period_minutes=1440,
    )
