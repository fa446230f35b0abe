"""Scale-in protection and metrics, against the fake Auto Scaling and moto's CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inland.fleet.errors import AwsError
from inland.fleet.measures import read_exposition
from inland.fleet.watch import Watch
from tests.fakes.autoscaling import PROTECT
from tests.inland.fleet.stage import Stage, serving
from tests.inland.fleet.test_measures import workers


async def follow(stage: Stage, watch: Watch, times: int) -> None:
    for _ in range(times):
        await watch.step()
        stage.clock.advance(10)


async def test_a_node_is_protected_while_it_has_calls_and_freed_a_minute_later(
    stage: Stage,
) -> None:
    await serving(stage)
    watch = Watch(stage.around, lambda: stage.lifecycle.serving)
    stage.node.live = 2
    await follow(stage, watch, 5)
    assert stage.api.protected == [True]
    stage.node.live = 0
    await follow(stage, watch, 5)
    assert stage.api.protected == [True]
    await follow(stage, watch, 10)
    assert stage.api.protected == [True, False]


async def test_nothing_is_protected_before_the_machine_is_in_service(stage: Stage) -> None:
    watch = Watch(stage.around, lambda: stage.lifecycle.serving)
    stage.node.live = 2
    await follow(stage, watch, 3)
    assert stage.api.protected == []


async def test_a_protection_that_was_refused_is_tried_again_later(stage: Stage) -> None:
    await serving(stage)
    stage.api.refusals[PROTECT] = ["ValidationError"] * 5
    watch = Watch(stage.around, lambda: True)
    stage.node.live = 1
    await follow(stage, watch, 4)
    assert len(stage.api.refusals[PROTECT]) == 1, "1, 2, 4 seconds; then the pause is longer"
    await follow(stage, watch, 3)
    assert stage.api.protected == [True]


async def test_metrics_are_published_each_minute_for_the_group(stage: Stage) -> None:
    await serving(stage)
    texts = iter([workers(3, 4, late=1)] * 6 + [workers(5, late=4)] * 7)

    async def reading() -> object:
        return read_exposition(next(texts))

    stage.node.reading = reading  # type: ignore[method-assign,assignment]
    watch = Watch(stage.around, lambda: True)
    await follow(stage, watch, 7)
    at = datetime.fromtimestamp(stage.clock.wall(), UTC)
    found = stage.operator.client("cloudwatch").get_metric_statistics(
        Namespace="Inland",
        MetricName="ActiveCallsPerNode",
        Dimensions=[{"Name": "AutoScalingGroupName", "Value": "inland-edge"}],
        StartTime=at - timedelta(hours=1),
        EndTime=at + timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )
    assert sorted(point["Sum"] for point in found["Datapoints"]) == [5.0, 7.0]


async def test_growth_that_could_not_be_told_is_told_a_minute_later(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await serving(stage)
    sent: list[dict[str, float]] = []
    refused = iter([False, True, False])
    call = stage.aws.call

    async def spy(service: str, operation: str, **request: object) -> object:
        if operation == "put_metric_data":
            if next(refused):
                raise AwsError("Throttling")
            data: list[dict[str, object]] = request["MetricData"]  # type: ignore[assignment]
            sent.append({str(d["MetricName"]): float(str(d["Value"])) for d in data})
            return {}
        return await call(service, operation, **request)

    stage.aws.call = spy  # type: ignore[method-assign,assignment]
    texts = [workers(1, late=1), workers(1, late=3), workers(1, late=6)]

    async def reading() -> object:
        return read_exposition(texts.pop(0))

    stage.node.reading = reading  # type: ignore[method-assign,assignment]
    watch = Watch(stage.around, lambda: True)
    for _ in range(3):
        await watch.step()
        stage.clock.advance(60)
    assert [minute.get("LateMediaTicks") for minute in sent] == [None, 5.0]
    assert "Throttling" in {vars(record).get("code") for record in caplog.records}
