"""Metrics of a node's phone calls, kept by its dispatcher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge

Way: TypeAlias = Literal["in", "out"]


class PhoneMetrics:
    """Counters and gauges in a registry of their own; labels hold words of ours only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._established = Counter(
            "inland_phone_calls_established",
            "Phone calls that stood, by direction",
            ["way"],
            registry=self.registry,
        )
        self._refused = Counter(
            "inland_phone_refusals",
            "Phone calls that were turned away, by the SIP status and our reason",
            ["way", "status", "reason"],
            registry=self.registry,
        )
        self._ended = Counter(
            "inland_phone_calls_ended",
            "Phone calls that ended after they stood or were tried, by who or what ended them",
            ["way", "cause"],
            registry=self.registry,
        )
        self._moved = Counter(
            "inland_phone_calls_moved",
            "Phone calls that went on at another worker after theirs died",
            registry=self.registry,
        )
        self._trunk_up = Gauge(
            "inland_phone_trunk_up",
            "Whether a trunk answers OPTIONS",
            ["trunk"],
            registry=self.registry,
        )
        self._registered = Gauge(
            "inland_phone_registered",
            "Whether a registration stands",
            ["registration"],
            registry=self.registry,
        )

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks: sessions, transactions, connections."""
        Gauge(name, help_text, registry=self.registry).set_function(read)

    def established(self, way: Way) -> None:
        self._established.labels(way).inc()

    def refused(self, way: Way, status: int, reason: str) -> None:
        self._refused.labels(way, str(status), reason).inc()

    def ended(self, way: Way, cause: str) -> None:
        self._ended.labels(way, cause).inc()

    def moved(self) -> None:
        self._moved.inc()

    def trunk(self, name: str, *, up: bool) -> None:
        self._trunk_up.labels(name).set(up)

    def registration(self, name: str, *, registered: bool) -> None:
        self._registered.labels(name).set(registered)
