"""Follows how busy the node is: protects it from being scaled in, publishes its metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable

from infra.cloud_init.document import METRIC_NAMESPACE
from inland.fleet.clock import backoff
from inland.fleet.errors import AwsError
from inland.fleet.lifecycle import Protection
from inland.fleet.lifecycle_loop import Surroundings
from inland.fleet.measures import Reading, metric_data

LOOK_SECONDS = 10.0
PUBLISH_SECONDS = 60.0

log = logging.getLogger(__name__)


class Watch:
    """For nodes that take calls. ``serving``: whether the machine is in service in its group."""

    def __init__(self, around: Surroundings, serving: Callable[[], bool]) -> None:
        self._around = around
        self._serving = serving
        self._protection = Protection()
        self._failures = 0
        self._not_before = float("-inf")
        self._published: Reading | None = None
        self._publish_at = float("-inf")

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self.step()
            await self._around.clock.sleep(LOOK_SECONDS)

    async def step(self) -> None:
        """Look once, and tell what is due."""
        reading = await self._around.node.reading()
        now = self._around.clock.monotonic()
        await self._protect(reading, now)
        if reading is not None and now >= self._publish_at:
            self._publish_at = now + PUBLISH_SECONDS
            await self._publish(reading)

    async def _protect(self, reading: Reading | None, now: float) -> None:
        if not self._serving():
            self._protection.forget()
            return
        change = self._protection.change(None if reading is None else reading.active, now)
        if change is None or now < self._not_before:
            return
        try:
            await self._around.aws.call(
                "autoscaling",
                "set_instance_protection",
                AutoScalingGroupName=self._around.document.lifecycle.group,
                InstanceIds=[self._around.machine.instance_id],
                ProtectedFromScaleIn=change,
            )
        except AwsError as error:
            self._failures += 1
            self._not_before = now + backoff(self._failures)
            log.warning("scale-in protection was not set", extra={"code": error.code})
            return
        self._failures = 0
        self._protection.done(change)
        log.info("scale-in protection", extra={"state": "on" if change else "off"})

    async def _publish(self, reading: Reading) -> None:
        around = self._around
        data = metric_data(
            self._published,
            reading,
            around.document.lifecycle.group,
            around.clock.wall(),
            serving=self._serving(),
        )
        try:
            if data:
                await around.aws.call(
                    "cloudwatch", "put_metric_data", Namespace=METRIC_NAMESPACE, MetricData=data
                )
        except AwsError as error:
            # What grew is told with the next minute's.
            log.warning("metrics were not taken", extra={"code": error.code})
        else:
            self._published = reading
