"""From a node's exposition to the group's metrics."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from edge.metrics import WorkerMetrics
from edge.node_metrics import merge_expositions
from edge.phone.phone_metrics import PhoneMetrics
from inland.fleet.measures import Reading, metric_data, read_exposition


def workers(
    *actives: int, late: float = 0, refused: int = 0, answers: tuple[float, ...] = ()
) -> str:
    """What a node with so many workers shows."""
    texts = []
    for index, active in enumerate(actives):
        metrics = WorkerMetrics(index)
        metrics.active.labels(str(index)).set(active)
        metrics.late_ticks.labels(str(index)).set(late)
        metrics.refusals.labels(str(index), "full").inc(refused)
        for seconds in answers:
            metrics.response.labels(str(index)).observe(seconds)
        texts.append(generate_latest(metrics.registry).decode())
    return generate_latest(merge_expositions(texts)).decode()


def told(before: Reading | None, now: Reading, *, serving: bool = True) -> dict[str, float]:
    data = metric_data(before, now, "inland-edge", 1.79e9, serving=serving)
    for datum in data:
        assert datum["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": "inland-edge"}]
    return {datum["MetricName"]: datum["Value"] for datum in data}


def test_calls_are_the_sum_over_the_workers() -> None:
    assert told(None, read_exposition(workers(3, 4))) == {"ActiveCallsPerNode": 7.0}


def test_late_ticks_and_refusals_are_what_grew_since_the_last_minute() -> None:
    before = read_exposition(workers(1, 1, late=10, refused=2))
    now = read_exposition(workers(1, 1, late=13, refused=5))
    assert told(before, now) == {"ActiveCallsPerNode": 2, "LateMediaTicks": 6, "Refusals": 6}


def test_a_worker_that_was_replaced_begins_at_nothing() -> None:
    before = read_exposition(workers(0, late=100, refused=50))
    now = read_exposition(workers(0, late=1, refused=2))
    found = told(before, now)
    assert (found["LateMediaTicks"], found["Refusals"]) == (1, 2)


def test_refused_phone_calls_are_refusals() -> None:
    phone = PhoneMetrics()
    phone.refused("in", 603, "law")
    texts = [workers(0), generate_latest(phone.registry).decode()]
    now = read_exposition(generate_latest(merge_expositions(texts)).decode())
    assert told(read_exposition(workers(0)), now)["Refusals"] == 1


def test_the_mean_response_is_of_the_last_minute_and_absent_in_silence() -> None:
    before = read_exposition(workers(1, answers=(9.0,)))
    now = read_exposition(workers(1, answers=(9.0, 0.2, 0.4)))
    assert told(before, now)["ResponseSeconds"] == pytest.approx(0.3)
    assert "ResponseSeconds" not in told(now, now)


def test_a_draining_node_tells_no_calls() -> None:
    now = read_exposition(workers(5))
    assert "ActiveCallsPerNode" not in told(now, now, serving=False)


def test_what_is_no_exposition_is_refused() -> None:
    with pytest.raises(ValueError):
        read_exposition("<html>")
