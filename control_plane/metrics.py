"""Every figure the control plane exposes, named in one place. None is about a caller."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from control_plane.directory import Directory

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The registry of one replica."""

    def __init__(self, directory: Directory) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "inland_control_requests",
            "HTTP requests by resource and status.",
            ("resource", "status"),
            registry=self.registry,
        )
        self.routes = Counter(
            "inland_control_routes",
            "Route requests by what was decided.",
            ("outcome",),
            registry=self.registry,
        )
        self.beats = Counter(
            "inland_control_beats",
            "Heartbeats by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.placement = Histogram(
            "inland_control_placement_seconds",
            "Time to decide where a caller goes.",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
            registry=self.registry,
        )
        self.policies = Counter(
            "inland_control_policies",
            "Policy bundles that were found, by what became of them: taken, unchanged, or why not.",
            ("outcome",),
            registry=self.registry,
        )
        self.serial = Gauge(
            "inland_control_policy_serial",
            "Serial of the policy bundle in force; 0 without one.",
            registry=self.registry,
        )
        self.registry.register(_Nodes(directory))

    def render(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)


class _Nodes(Collector):
    """Reads the directory when it is asked, so that no figure is older than the answer."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        nodes = GaugeMetricFamily(
            "inland_control_nodes", "Nodes by region and health.", labels=("region", "health")
        )
        capacity = GaugeMetricFamily(
            "inland_control_capacity", "Calls that live nodes can hold.", labels=("region",)
        )
        active = GaugeMetricFamily(
            "inland_control_active", "Calls that live nodes report.", labels=("region",)
        )
        for region in self._directory.regions():
            views = self._directory.nodes(region)
            live = [view for view in views if view.health.value == "live"]
            for health, count in sorted(Count(view.health.value for view in views).items()):
                nodes.add_metric((region, health), count)
            capacity.add_metric((region,), sum(view.capacity for view in live))
            active.add_metric((region,), sum(view.active for view in live))
        yield from (nodes, capacity, active)
