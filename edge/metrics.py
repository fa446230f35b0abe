"""Every metric of a worker, named in one place (OpenMetrics names, base units)."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edge.events import TurnTimings

LATENCY_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, 2.0, 5.0)
COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)


class WorkerMetrics:
    """The metrics of one worker process."""

    def __init__(self, worker: int) -> None:
        self.registry = CollectorRegistry()
        self.worker = str(worker)
        registry, labels = self.registry, ("worker",)
        self.active = Gauge("inland_calls_active", "Calls now", labels, registry=registry)
        self.capacity = Gauge("inland_calls_capacity", "Calls at most", labels, registry=registry)
        self.calls = Counter(
            "inland_calls", "Calls ended, by reason", (*labels, "reason"), registry=registry
        )
        self.refusals = Counter(
            "inland_refusals", "Offers refused, by code", (*labels, "code"), registry=registry
        )
        self.response = Histogram(
            "inland_response_seconds",
            "From the caller's last audible frame to the agent's first packet",
            labels,
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.stage = Histogram(
            "inland_response_stage_seconds",
            "Parts of inland_response_seconds",
            (*labels, "stage"),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.barge_ins = Counter(
            "inland_barge_ins", "Answers cut off by the caller", labels, registry=registry
        )
        self.tools = Counter(
            "inland_tool_calls", "Tool calls, by outcome", (*labels, "outcome"), registry=registry
        )
        self.commits = Histogram(
            "inland_journal_commit_seconds",
            "Writing one entry of a session's journal",
            labels,
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )
        self.unexpected = Counter(
            "inland_unexpected_connections",
            "Connections and look-ups that the settings do not explain",
            (*labels, "kind"),
            registry=registry,
        )
        self.recorded_segments = Counter(
            "inland_recording_segments",
            "Segments of recordings that are kept",
            labels,
            registry=registry,
        )
        self.recorded_bytes = Counter(
            "inland_recording_bytes", "What they have, sealed", labels, registry=registry
        )
        self.recording_gaps = Counter(
            "inland_recording_gaps",
            "Stretches of recordings that were not kept",
            labels,
            registry=registry,
        )
        self.late_ticks = Gauge(
            "inland_media_late_ticks",
            "Media ticks that came a frame late",
            labels,
            registry=registry,
        )

    def for_call(self) -> CallMetrics:
        """The view a call has of them."""
        return CallMetrics(self)


@dataclass(frozen=True, slots=True)
class CallMetrics:
    """What a conversation counts."""

    worker: WorkerMetrics

    def turn(self, timings: TurnTimings) -> None:
        """An answer became audible."""
        name = self.worker.worker
        self.worker.response.labels(name).observe(max(0.0, timings.total) / 1000)
        for stage in ("endpoint", "recognise", "think", "voice", "playout"):
            seconds = max(0.0, getattr(timings, stage)) / 1000
            self.worker.stage.labels(name, stage).observe(seconds)

    def barge_in(self) -> None:
        """The caller cut the agent off."""
        self.worker.barge_ins.labels(self.worker.worker).inc()

    def tool(self, ok: bool) -> None:
        """A tool came back."""
        self.worker.tools.labels(self.worker.worker, "ok" if ok else "failed").inc()

    def commit(self, seconds: float) -> None:
        """An entry was written to the journal."""
        self.worker.commits.labels(self.worker.worker).observe(seconds)

    def ended(self, reason: str) -> None:
        """The call is over."""
        self.worker.calls.labels(self.worker.worker, reason).inc()
