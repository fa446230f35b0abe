"""A machine with a service that a test plays, its metadata and its cloud."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession

from inland.fleet.aws import Aws
from inland.fleet.lifecycle import Lifecycle, Plan, Unit
from inland.fleet.lifecycle_loop import LifecycleLoop, Surroundings
from inland.fleet.measures import Reading
from inland.fleet.metadata import Metadata
from inland.fleet.names import host_name
from inland.fleet.places import Places
from tests.fakes.autoscaling import FakeAutoScaling
from tests.fakes.imds import FakeImds
from tests.fakes.stepping_clock import SteppingClock
from tests.inland.fleet.cloud import Operator
from tests.inland.fleet.documents import MACHINE, document

LAUNCH, DRAIN = "inland-launch", "inland-drain"
NAME = host_name(document(), MACHINE)


class FakeNode:
    """A service whose state a test sets."""

    def __init__(self) -> None:
        self.is_ready = False
        self.live: int | None = 0
        self.unit = Unit.RUNNING

    async def ready(self) -> bool:
        return self.is_ready

    async def reading(self) -> Reading | None:
        return None if self.live is None else Reading(self.live, {})

    async def state(self) -> Unit:
        return self.unit


class Stage:
    """A machine, its service and its cloud."""

    def __init__(
        self,
        operator: Operator,
        imds: FakeImds,
        api: FakeAutoScaling,
        http: ClientSession,
        tmp: Path,
    ) -> None:
        self.operator, self.imds, self.api = operator, imds, api
        self.node = FakeNode()
        self.clock = SteppingClock()
        self.zone = operator.zone("eu.voice.example.org")
        told = document(endpoint=imds.url).model_copy(update={"zone_id": self.zone})
        self.aws = Aws("eu-central-1", imds.url)
        self.around = Surroundings(
            document=told,
            machine=MACHINE,
            places=Places(run=tmp, site=tmp, state=tmp),
            metadata=Metadata(http, imds.url),
            aws=self.aws,
            node=self.node,
            unit=self.node.state,
            clock=self.clock,
        )
        self.restart()

    def restart(self) -> None:
        """The agent ends, and another one begins."""
        self.lifecycle = Lifecycle(Plan(drain_seconds=900, named=True, waits=False))
        self.loop = LifecycleLoop(self.around, self.lifecycle, NAME)

    async def look(self, times: int = 1) -> None:
        """So many looks, five seconds apart."""
        for _ in range(times):
            await self.loop.step()
            self.clock.advance(5)

    @property
    def addresses(self) -> dict[str, list[str]]:
        return self.operator.addresses(self.zone)

    @property
    def asked_to_drain(self) -> bool:
        return self.around.places.drain.exists()


async def serving(stage: Stage) -> None:
    """The node is ready and in service."""
    stage.node.is_ready = True
    await stage.look(2)
    assert stage.lifecycle.serving


def terminate(stage: Stage) -> None:
    """The group wants the machine gone, and its hook waits."""
    stage.imds.machine.target_lifecycle_state = "Terminated"
    stage.api.waiting.add(DRAIN)
