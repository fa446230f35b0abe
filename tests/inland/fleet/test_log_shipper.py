"""Lines on their way to moto's CloudWatch Logs."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inland.fleet.log_batches import Waiting
from inland.fleet.log_group import rejected
from inland.fleet.log_shipper import LogShipper
from tests.fakes.stepping_clock import Enough
from tests.inland.fleet.documents import INSTANCE
from tests.inland.fleet.stage import Stage

GROUP = "/inland/eu-central-1/node"
PUT = "PutLogEvents"


def text(message: str) -> str:
    return json.dumps({"at": 1.0, "level": "info", "logger": "edge.node", "message": message})


class FakeJournal:
    """Entries that a test writes; each reader begins behind its cursor."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes]] = []
        self.began = time.time()  # moto keeps nothing that is older than the real service keeps
        self.asked: list[str | None] = []

    def write(self, message: str, unit: str = "inland-edge.service", at: int = 1) -> None:
        cursor = f"c{len(self.entries)}"
        entry = {
            "_SYSTEMD_UNIT": unit,
            "__REALTIME_TIMESTAMP": str(int((self.began + at / 1000) * 1e6)),
            "__CURSOR": cursor,
            "MESSAGE": message,
        }
        self.entries.append((cursor, json.dumps(entry).encode()))

    async def lines(self, after: str | None) -> AsyncIterator[bytes]:
        self.asked.append(after)
        cursors = [cursor for cursor, _ in self.entries]
        for _, raw in self.entries[0 if after is None else cursors.index(after) + 1 :]:
            yield raw


class Shipping:
    """A shipper with its journal, whose tasks a test runs for a number of pauses."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        stage.operator.client("logs").create_log_group(logGroupName=GROUP)
        self.stage = stage
        self.journal = FakeJournal()
        self.cursor = folder / "cursor"
        self.waiting = Waiting()
        self.shipper = self.new()

    def new(self) -> LogShipper:
        """Another agent's."""
        return LogShipper(
            self.stage.aws,
            self.stage.clock,
            self.journal,
            group=GROUP,
            instance=INSTANCE,
            cursor=self.cursor,
            waiting=self.waiting,
        )

    async def read(self) -> None:
        """Everything that is in the journal, once."""
        self._stop_after(1)
        with pytest.raises(Enough):
            await self.shipper.read()

    async def send(self, pauses: int = 1) -> None:
        self._stop_after(pauses)
        with pytest.raises(Enough):
            await self.shipper.send()

    def _stop_after(self, pauses: int) -> None:
        limit = len(self.stage.clock.slept) + pauses - 1

        def count(slept: int) -> None:
            if slept >= limit:
                raise Enough

        self.stage.clock.on_sleep = count

    def arrived(self, unit: str = "inland-edge") -> list[str]:
        """The messages in the unit's stream."""
        found = self.stage.operator.client("logs").get_log_events(
            logGroupName=GROUP, logStreamName=f"{INSTANCE}/{unit}", startFromHead=True
        )
        return [json.loads(event["message"])["message"] for event in found["events"]]


@pytest.fixture
def shipping(stage: Stage, tmp_path: Path) -> Shipping:
    return Shipping(stage, tmp_path)


async def test_lines_arrive_in_a_stream_per_instance_and_unit(shipping: Shipping) -> None:
    shipping.journal.write(text("one"))
    shipping.journal.write(text("agent"), unit="inland-agent.service")
    shipping.journal.write(text("two"), at=2)
    await shipping.read()
    await shipping.send()
    assert shipping.arrived() == ["one", "two"]
    assert shipping.arrived("inland-agent") == ["agent"]


async def test_lines_of_others_stay_and_are_counted(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.journal.write("Traceback: my name is")
    shipping.journal.write(text("one"))
    await shipping.read()
    with caplog.at_level(logging.INFO):
        await shipping.send()
    assert shipping.arrived() == ["one"]
    told = [record for record in caplog.records if "stay on the machine" in record.message]
    assert [vars(record)["count"] for record in told] == [1]
    assert "my name is" not in caplog.text


async def test_an_api_that_is_away_is_asked_again_and_nothing_is_sent_twice(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.stage.api.refusals[PUT] = ["ServiceUnavailableException"] * 3
    shipping.journal.write(text("one"))
    await shipping.read()
    await shipping.send(pauses=5)
    assert shipping.arrived() == ["one"]
    assert caplog.text.count("were not taken") == 3


async def test_what_was_lost_is_told(shipping: Shipping, caplog: pytest.LogCaptureFixture) -> None:
    shipping.waiting._limit = 250
    for number in range(5):
        shipping.journal.write(text(f"m{number}"))
    await shipping.read()
    await shipping.send()
    assert shipping.arrived() == ["m3", "m4"]
    lost = [record for record in caplog.records if "were lost" in record.message]
    assert [vars(record)["count"] for record in lost] == [3]


async def test_a_batch_that_is_refused_for_good_does_not_hold_the_others_up(
    shipping: Shipping,
) -> None:
    shipping.journal.write(text("bad"))
    await shipping.read()
    shipping.stage.api.refusals[PUT] = ["InvalidParameterException"]
    await shipping.send()
    shipping.journal.write(text("good"))
    await shipping.read()
    await shipping.send()
    assert shipping.arrived() == ["good"]


async def test_an_agent_that_was_restarted_goes_on_where_lines_had_arrived(
    shipping: Shipping,
) -> None:
    shipping.journal.write(text("one"))
    await shipping.read()
    await shipping.send()
    shipping.journal.write(text("two"), at=2)
    shipping.waiting = Waiting()
    shipping.shipper = shipping.new()
    await shipping.read()
    await shipping.send()
    assert shipping.journal.asked == [None, "c0"]
    assert shipping.arrived() == ["one", "two"]


async def test_lines_that_the_service_does_not_keep_are_told_as_lost(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # of which moto tells one: its end is inclusive, the service's exclusive
        shipping.journal.write(text("old"), at=-15 * 24 * 3600 * 1000)
    await shipping.read()
    await shipping.send()
    assert shipping.arrived() == []
    assert "were lost" in caplog.text


def test_rejected_lines_are_counted_from_both_ends() -> None:
    assert rejected({}, 9) == 0
    assert rejected({"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 8}, 9) == 3
    assert rejected({"expiredLogEventEndIndex": 4}, 9) == 4


async def test_what_waits_is_sent_when_the_agent_ends(shipping: Shipping) -> None:
    refused = asyncio.Event()
    shipping.journal.write(text("last"))
    shipping.stage.api.refusals[PUT] = ["ServiceUnavailableException"]

    def stand_still(slept: int) -> None:
        if not shipping.stage.api.refusals[PUT]:
            refused.set()

    shipping.stage.clock.on_sleep = stand_still
    async with asyncio.TaskGroup() as group:
        task = group.create_task(shipping.shipper.run())
        await refused.wait()
        task.cancel()
    assert shipping.arrived() == ["last"]
