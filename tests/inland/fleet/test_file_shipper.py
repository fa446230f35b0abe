"""An audit log on its way to moto's CloudWatch Logs, line by line."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from inland.fleet.file_shipper import READ_BYTES, FileShipper
from inland.fleet.log_batches import EVENT_OVERHEAD, MAX_BATCH_BYTES, MAX_EVENTS
from inland.fleet.log_group import LogGroup
from tests.fakes.stepping_clock import Enough
from tests.inland.fleet.stage import Stage

GROUP = "/inland/eu-central-1/audit"
STREAM = "i-1/audit"
PUT = "PutLogEvents"


class Shipping:
    """A file that only grows, and who ships it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.logs = stage.operator.client("logs")
        self.logs.create_log_group(logGroupName=GROUP)
        # moto keeps nothing that is older than the real service keeps.
        stage.clock.advance(time.time() - stage.clock.wall())
        self.file = folder / "audit.jsonl"
        self.place = folder / "audit.jsonl.shipped"
        self.shipper = self.new()

    def new(self) -> FileShipper:
        """Another agent's."""
        group = LogGroup(self.stage.aws, GROUP)
        return FileShipper(group, self.stage.clock, file=self.file, place=self.place, stream=STREAM)

    def write(self, text: str) -> None:
        with self.file.open("a") as file:
            file.write(text)

    async def ship(self, pauses: int = 1) -> None:
        """Until the shipper has paused so often."""
        limit = len(self.stage.clock.slept) + pauses - 1

        def count(slept: int) -> None:
            if slept >= limit:
                raise Enough

        self.stage.clock.on_sleep = count
        with pytest.raises(Enough):
            await self.shipper.run()

    def arrived(self) -> list[str]:
        found = self.logs.get_log_events(
            logGroupName=GROUP, logStreamName=STREAM, startFromHead=True
        )
        return [event["message"] for event in found["events"]]


@pytest.fixture
def shipping(stage: Stage, tmp_path: Path) -> Shipping:
    return Shipping(stage, tmp_path)


async def test_every_line_arrives_once_and_whole(shipping: Shipping) -> None:
    await shipping.ship()  # before there is a file
    shipping.write("one\ntw")
    await shipping.ship()
    assert shipping.arrived() == ["one"]
    shipping.write("o\nthree\n")
    await shipping.ship()
    assert shipping.arrived() == ["one", "two", "three"]


async def test_another_agent_goes_on_where_lines_had_arrived(shipping: Shipping) -> None:
    shipping.write("one\n")
    await shipping.ship()
    shipping.write("two\n")
    shipping.shipper = shipping.new()
    await shipping.ship()
    assert shipping.arrived() == ["one", "two"]


async def test_while_the_api_is_away_lines_wait_in_the_file(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.write("one\n")
    # With each pause two tries: the agent that ends tries once more as well.
    shipping.stage.api.refusals[PUT] = ["ServiceUnavailableException"] * 4
    await shipping.ship(pauses=3)
    assert shipping.place.exists() is False
    assert caplog.text.count("were not taken") == 3
    await shipping.ship()
    assert shipping.arrived() == ["one"]


async def test_a_file_that_became_shorter_is_sent_anew_and_told(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.write("one\ntwo\n")
    await shipping.ship()
    shipping.file.write_text("other\n")
    with caplog.at_level(logging.ERROR):
        await shipping.ship()
    assert shipping.arrived() == ["one", "two", "other"]
    assert "has become shorter" in caplog.text


async def test_what_no_line_of_ours_can_be_does_not_hold_up_what_follows(
    shipping: Shipping,
) -> None:
    shipping.write("x" * (READ_BYTES + 5) + "\nnext\n")
    await shipping.ship()
    assert shipping.arrived() == ["x" * READ_BYTES, "x" * 5, "next"]


async def test_no_request_is_larger_than_the_service_takes(shipping: Shipping) -> None:
    shipping.file.write_bytes(b"\xff\n" * (READ_BYTES // 2 + 1))
    requests: list[list[tuple[int, str]]] = []

    class Counting(LogGroup):
        async def put(self, stream: str, events: object) -> int:
            assert isinstance(events, list)
            requests.append(events)
            return 0

    group = Counting(shipping.stage.aws, GROUP)
    shipper = FileShipper(
        group, shipping.stage.clock, file=shipping.file, place=shipping.place, stream=STREAM
    )
    while await shipper.step():
        pass
    assert sum(map(len, requests)) == READ_BYTES // 2 + 1
    for events in requests:
        assert len(events) <= MAX_EVENTS
        weight = sum(len(text.encode()) + EVENT_OVERHEAD for _, text in events)
        assert weight <= MAX_BATCH_BYTES


async def test_what_was_written_last_is_sent_when_the_agent_ends(shipping: Shipping) -> None:
    asleep = asyncio.Event()
    shipping.stage.clock.on_sleep = lambda slept: asleep.set()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(shipping.shipper.run())
        await asleep.wait()
        shipping.write("last\n")
        task.cancel()
    assert shipping.arrived() == ["last"]
