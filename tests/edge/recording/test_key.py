"""The key of a session's recordings: only where there are any, and bound to who may have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.session.errors import SealError
from edge.session.keyring import make_ring, open_ring
from edge.session.keys import RING_FORMAT, LocalKeyFile
from regions.models import DataClass
from tests.edge.session.parts import EU, IN, NOW, key_file, tag_for

BOTH = tag_for(regions=(EU, IN))
END = int(NOW) + 60


@pytest.fixture
def keys(tmp_path: Path) -> LocalKeyFile:
    return key_file(tmp_path)


async def test_a_session_that_is_not_recorded_has_no_key_for_it(keys: LocalKeyFile) -> None:
    ring, _ = await make_ring(keys, [EU], BOTH, {DataClass.RECORDING: END})
    assert set(ring) == {DataClass.TRANSCRIPT, DataClass.VARIABLES}


async def test_its_tag_names_the_regions_that_may_have_it_and_its_own_end(
    keys: LocalKeyFile,
) -> None:
    ring, wraps = await make_ring(keys, [EU], BOTH, {DataClass.RECORDING: END}, (EU,))
    opened = await open_ring(keys, wraps[EU], region=EU, tag=BOTH, now=NOW)
    for found in (ring, opened.keys):
        tag = found[DataClass.RECORDING].tag
        assert (tag.allowed_regions, tag.expires_at) == ((EU,), END)
        assert tag.data_class is DataClass.RECORDING
        assert found[DataClass.TRANSCRIPT].tag.allowed_regions == (EU, IN)
    assert opened.keys == ring


async def test_it_is_not_used_once_its_time_is_over(keys: LocalKeyFile) -> None:
    _, wraps = await make_ring(keys, [EU], BOTH, {DataClass.RECORDING: END}, (EU,))
    opened = await open_ring(keys, wraps[EU], region=EU, tag=BOTH, now=END)
    assert opened.gone == {DataClass.RECORDING: "its retention is over"}
    assert DataClass.TRANSCRIPT in opened.keys


@pytest.mark.parametrize("written", [[IN], [EU, IN], None])
async def test_whoever_writes_other_regions_beside_it_opens_nothing(
    keys: LocalKeyFile, written: list[str] | None
) -> None:
    _, wraps = await make_ring(keys, [EU], BOTH, {DataClass.RECORDING: END}, (EU,))
    ring = json.loads(wraps[EU][len(RING_FORMAT) :])
    if written is None:
        del ring["keys"]["recording"]["regions"]
    else:
        ring["keys"]["recording"]["regions"] = written
    with pytest.raises(SealError):
        await open_ring(keys, RING_FORMAT + json.dumps(ring).encode(), region=EU, tag=BOTH, now=NOW)


async def test_no_region_that_may_not_have_it_is_given_its_key(keys: LocalKeyFile) -> None:
    _, wraps = await make_ring(keys, [EU], BOTH, {DataClass.RECORDING: END}, (IN,))
    opened = await open_ring(keys, wraps[EU], region=EU, tag=BOTH, now=NOW)
    assert set(opened.keys) == {DataClass.TRANSCRIPT, DataClass.VARIABLES}
