"""A policy bundle on its way from moto's S3 to the file that the control plane watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cloud_init.document import POLICY_OBJECT
from inland.fleet.policy_carrier import LOOK_SECONDS, PolicyCarrier
from regions.bundle import MAX_BUNDLE
from tests.fakes.stepping_clock import Enough
from tests.inland.fleet.stage import Stage

BUCKET = "inland-software-111122223333-eu-central-1"


class Carrying:
    """A bucket, a carrier and its file."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.s3 = stage.operator.client("s3")
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        self.file = folder / "policy.bundle"
        self.carrier = PolicyCarrier(stage.aws, stage.clock, bucket=BUCKET, file=self.file)

    def publish(self, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=POLICY_OBJECT, Body=body)

    async def look(self, times: int = 1) -> None:
        limit = len(self.stage.clock.slept) + times - 1

        def count(slept: int) -> None:
            if slept >= limit:
                raise Enough

        self.stage.clock.on_sleep = count
        with pytest.raises(Enough):
            await self.carrier.run()


@pytest.fixture
def carrying(stage: Stage, tmp_path: Path) -> Carrying:
    return Carrying(stage, tmp_path)


async def test_a_published_bundle_is_put_in_place_and_a_newer_one_in_place_of_it(
    carrying: Carrying,
) -> None:
    carrying.publish(b"one")
    await carrying.look()
    assert carrying.file.read_bytes() == b"one"
    carrying.publish(b"two")
    await carrying.look()
    assert carrying.file.read_bytes() == b"two"
    assert carrying.file.stat().st_mode & 0o777 == 0o600


async def test_a_bundle_that_is_the_same_is_not_written_again(carrying: Carrying) -> None:
    carrying.publish(b"one")
    await carrying.look()
    before = carrying.file.stat().st_ino
    await carrying.look(3)
    assert carrying.file.stat().st_ino == before


async def test_it_is_looked_for_often_enough_that_a_live_call_hears_of_it_in_a_minute(
    carrying: Carrying,
) -> None:
    carrying.publish(b"one")
    await carrying.look(3)
    assert set(carrying.stage.clock.slept) == {LOOK_SECONDS}
    assert LOOK_SECONDS <= 5


async def test_a_replica_waits_for_the_first_bundle_and_says_so(
    carrying: Carrying, caplog: pytest.LogCaptureFixture
) -> None:
    def publish(slept: int) -> None:
        if slept == 2:
            carrying.publish(b"one")

    carrying.stage.clock.on_sleep = publish
    await carrying.carrier.first()
    assert carrying.file.read_bytes() == b"one"
    assert caplog.text.count("there is no policy bundle yet") == 3


async def test_a_bundle_that_is_gone_or_longer_than_any_takes_nothing_away(
    carrying: Carrying,
) -> None:
    carrying.publish(b"one")
    await carrying.look()
    carrying.publish(bytes(MAX_BUNDLE + 1))
    await carrying.look()
    assert carrying.file.read_bytes() == b"one"
    carrying.s3.delete_object(Bucket=BUCKET, Key=POLICY_OBJECT)
    await carrying.look(2)
    assert carrying.file.read_bytes() == b"one"
    carrying.publish(b"three")
    await carrying.look()
    assert carrying.file.read_bytes() == b"three"


async def test_what_could_not_be_written_is_written_later(
    carrying: Carrying, caplog: pytest.LogCaptureFixture
) -> None:
    carrying.publish(b"one")
    carrying.file.mkdir()
    await carrying.look()
    assert "policy bundle not written" in caplog.text
    carrying.file.rmdir()
    await carrying.look()
    assert carrying.file.read_bytes() == b"one"
