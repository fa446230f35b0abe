"""The instance metadata as a node asks for them."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession

from inland.fleet.errors import MetadataAway, Unusable
from inland.fleet.metadata import TARGET_STATE, Metadata, read_machine
from tests.fakes.imds import FakeImds
from tests.inland.fleet.documents import MACHINE


async def test_one_token_serves_many_questions_until_it_has_run_out() -> None:
    async with FakeImds() as imds, ClientSession() as http:
        metadata = Metadata(http, imds.url)
        assert await metadata.get(TARGET_STATE) == "InService"
        assert await metadata.get("instance-id") == imds.machine.instance_id
        assert imds.tokens_given == 1
        imds.forget_tokens()
        assert await metadata.get(TARGET_STATE) == "InService"
        assert imds.tokens_given == 2


async def test_an_absent_category_is_none() -> None:
    async with FakeImds() as imds, ClientSession() as http:
        imds.machine.target_lifecycle_state = None
        assert await Metadata(http, imds.url).get(TARGET_STATE) is None


async def test_a_service_that_fails_or_is_away_is_said_to_be_away() -> None:
    async with FakeImds() as imds, ClientSession() as http:
        imds.failing = 503
        with pytest.raises(MetadataAway):
            await Metadata(http, imds.url).get(TARGET_STATE)
        imds.failing = None
        metadata = Metadata(http, imds.url)
        await metadata.get(TARGET_STATE)
        imds.failing = 500
        with pytest.raises(MetadataAway):
            await metadata.get(TARGET_STATE)
        url = imds.url
    async with ClientSession() as http:
        with pytest.raises(MetadataAway):
            await Metadata(http, url).get(TARGET_STATE)


async def test_a_machine_in_another_region_than_it_was_told_is_refused() -> None:
    async with FakeImds() as imds, ClientSession() as http:
        metadata = Metadata(http, imds.url)
        assert await read_machine(metadata, "eu-central-1", cpus=4) == MACHINE
        imds.machine.region = "us-east-1"
        with pytest.raises(Unusable, match="stands in us-east-1"):
            await read_machine(metadata, "eu-central-1", cpus=4)
