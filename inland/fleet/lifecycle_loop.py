"""Looks at the machine every few seconds and does what :class:`Lifecycle` decides."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from infra.cloud_init.document import NodeDocument
from inland.fleet.aws import Aws
from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError, MetadataAway
from inland.fleet.files import write_private
from inland.fleet.lifecycle import Act, Lifecycle, Seen, Unit
from inland.fleet.metadata import REBALANCE, SPOT_ACTION, TARGET_STATE, Machine, Metadata
from inland.fleet.node_view import NodeView
from inland.fleet.places import Places

POLL_SECONDS = 5.0
RECORD_SECONDS = 60
"""Time to live of the node's address record."""
NO_ACTION = "ValidationError"
"""What EC2 Auto Scaling says when no lifecycle action waits, or not yet."""
NO_RECORD = "InvalidChangeBatch"
LAUNCH_TRIES = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loops of an agent share."""

    document: NodeDocument
    machine: Machine
    places: Places
    metadata: Metadata
    aws: Aws
    node: NodeView
    unit: Callable[[], Awaitable[Unit]]
    clock: WaitingClock


class LifecycleLoop:
    """``lifecycle`` decides; ``name`` is the machine's own record, None for one that has none."""

    def __init__(self, around: Surroundings, lifecycle: Lifecycle, name: str | None) -> None:
        self._around = around
        self._lifecycle = lifecycle
        self._name = name
        self._failures: dict[Act, int] = {}
        self._not_before: dict[Act, float] = {}
        self._last: tuple[str | None, bool] = (None, False)
        self._rebalance = False
        self._away = False

    async def run(self) -> None:
        """Look and act until cancelled."""
        while True:
            await self.step()
            await self._around.clock.sleep(POLL_SECONDS)

    async def step(self) -> None:
        """Look once, and do what is due."""
        try:
            seen = await self._look()
        except MetadataAway:
            if not self._away:
                log.warning("the instance metadata do not answer; the last state goes on")
            self._away = True
            return
        self._away = False
        for act in self._lifecycle.next(seen, self._now):
            if self._now >= self._not_before.get(act, float("-inf")):
                await self._try(act)

    async def _look(self) -> Seen:
        around = self._around
        target = await around.metadata.get(TARGET_STATE)
        spot = await around.metadata.get(SPOT_ACTION) is not None
        if not self._rebalance and await around.metadata.get(REBALANCE) is not None:
            # Nothing is drained for it: every machine of a fleet may be told so at once, and the
            # group may have nothing to put in their place.
            self._rebalance = True
            log.warning("this machine may be taken away soon")
        if (target, spot) != self._last:
            self._last = target, spot
            log.info("wanted state", extra={"state": "spot notice" if spot else target})
        reading = await around.node.reading()
        return Seen(
            target=target,
            spot_notice=spot,
            unit=await around.unit(),
            ready=await around.node.ready(),
            live=None if reading is None else reading.active,
        )

    async def _try(self, act: Act) -> None:
        try:
            await self._perform(act)
        except AwsError as error:
            self._failed(act, error.code)
            return
        except OSError as error:
            self._failed(act, type(error).__name__)
            return
        self._over(act)
        log.info("done", extra={"state": act.value})

    def _failed(self, act: Act, code: str) -> None:
        failures = self._failures[act] = self._failures.get(act, 0) + 1
        self._not_before[act] = self._now + backoff(failures)
        launch = act in (Act.COMPLETE_LAUNCH, Act.ABANDON_LAUNCH)
        beat = act in (Act.BEAT_LAUNCH, Act.BEAT_TERMINATE)
        gone = act is Act.DELETE_RECORD and code == NO_RECORD
        # After an agent's restart, the launch was completed by the one before.
        nobody_waits = launch and code == NO_ACTION and failures >= LAUNCH_TRIES
        if beat or gone or nobody_waits:
            self._over(act)
        log.warning("the cloud did not take it", extra={"state": act.value, "code": code})

    def _over(self, act: Act) -> None:
        self._failures.pop(act, None)
        self._not_before.pop(act, None)
        self._lifecycle.done(act, self._now)

    @property
    def _now(self) -> float:
        return self._around.clock.monotonic()

    async def _perform(self, act: Act) -> None:
        hooks = self._around.document.lifecycle
        match act:
            case Act.PUT_RECORD:
                await self._change_record("UPSERT")
            case Act.DELETE_RECORD:
                await self._change_record("DELETE")
            case Act.COMPLETE_LAUNCH:
                await self._complete(hooks.launch_hook, "CONTINUE")
            case Act.ABANDON_LAUNCH:
                await self._complete(hooks.launch_hook, "ABANDON")
            case Act.BEAT_LAUNCH:
                await self._hook("record_lifecycle_action_heartbeat", hooks.launch_hook)
            case Act.DRAIN:
                write_private(self._around.places.drain, b"")
            case Act.BEAT_TERMINATE:
                await self._hook("record_lifecycle_action_heartbeat", hooks.terminate_hook)
            case Act.COMPLETE_TERMINATE:
                await self._complete(hooks.terminate_hook, "CONTINUE")

    async def _complete(self, hook: str, result: str) -> None:
        await self._hook("complete_lifecycle_action", hook, LifecycleActionResult=result)

    async def _hook(self, operation: str, hook: str, **more: Any) -> None:
        await self._around.aws.call(
            "autoscaling",
            operation,
            AutoScalingGroupName=self._around.document.lifecycle.group,
            LifecycleHookName=hook,
            InstanceId=self._around.machine.instance_id,
            **more,
        )

    async def _change_record(self, action: str) -> None:
        record = {
            "Name": self._name,
            "Type": "A",
            "TTL": RECORD_SECONDS,
            "ResourceRecords": [{"Value": self._around.machine.public_ipv4}],
        }
        await self._around.aws.call(
            "route53",
            "change_resource_record_sets",
            HostedZoneId=self._around.document.zone_id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )
