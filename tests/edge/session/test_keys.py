"""A region's key is private, the same for all of its processes, and of no use anywhere else."""

import hmac
import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.session.errors import KeyFileError, RegionRefused, SealError
from edge.session.keys import LocalKeyFile, derive
from edge.session.seal import new_data_key
from regions.models import DataClass
from tests.edge.session.parts import EU, IN, OTHER, key_file, tag_for

BOTH = tag_for(regions=(EU, IN))


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "eu.key"
    first, second = LocalKeyFile.open(path, EU), LocalKeyFile.open(path, EU)
    assert first.key_id == second.key_id
    assert first.subkey("resume") == second.subkey("resume")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["eu.key"]


@pytest.mark.parametrize("attempt", range(10))
def test_processes_that_start_together_end_up_with_one_key(tmp_path: Path, attempt: int) -> None:
    start = threading.Barrier(8)

    def open_one(_: int) -> bytes:
        start.wait()
        return key_file(tmp_path).subkey("wrap")

    with ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(open_one, range(8))}) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o601])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "eu.key"
    LocalKeyFile.open(path, EU)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        LocalKeyFile.open(path, EU)


def test_another_regions_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eu.key"
    LocalKeyFile.open(path, EU)
    with pytest.raises(KeyFileError, match=f"holds the key of region {EU}, and this is {IN}"):
        LocalKeyFile.open(path, IN)


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"version": 1, "key": "c2hvcnQ="}'])
def test_a_damaged_file_is_refused_without_quoting_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "eu.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        LocalKeyFile.open(path, EU)
    assert str(caught.value) == f"{path}: not a key file: restore it from a backup"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_key_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eu.key"
    path.write_text(json.dumps({"version": 1, "region": EU, "id": "0" * 16, "key": "c2hvcnQ="}))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a key file"):
        LocalKeyFile.open(path, EU)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be used"):
        LocalKeyFile.open(tmp_path, EU)


def test_subkeys_differ_by_purpose_and_region(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    assert keys.subkey("wrap") != keys.subkey("resume")
    sibling = LocalKeyFile(IN, keys.key_id, keys._secret)
    assert sibling.subkey("wrap") != keys.subkey("wrap")


def test_derivation_is_hkdf_sha_256() -> None:
    # HKDF (RFC 5869) spelt out with HMAC: extract with an empty salt, one block of expansion.
    pseudo_random_key = hmac.digest(bytes(32), b"secret", "sha256")
    assert derive(b"secret", "purpose") == hmac.digest(
        pseudo_random_key, b"inland purpose\x01", "sha256"
    )


async def test_a_wrapped_key_unwraps_again(tmp_path: Path) -> None:
    data_key = new_data_key()
    wrapped = await key_file(tmp_path).wrap(data_key, region=EU, tag=BOTH)
    assert data_key not in wrapped
    assert await key_file(tmp_path).unwrap(wrapped, region=EU, tag=BOTH) == data_key


async def test_a_key_is_wrapped_only_for_its_own_region_and_an_allowed_one(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    with pytest.raises(RegionRefused):
        await keys.wrap(new_data_key(), region=IN, tag=BOTH)
    with pytest.raises(RegionRefused):
        await keys.wrap(new_data_key(), region=EU, tag=tag_for(regions=(IN,)))


async def test_another_regions_key_does_not_unwrap(tmp_path: Path) -> None:
    wrapped = await key_file(tmp_path).wrap(new_data_key(), region=EU, tag=BOTH)
    with pytest.raises(SealError):
        await key_file(tmp_path, IN).unwrap(wrapped, region=IN, tag=BOTH)
    with pytest.raises(SealError):
        await key_file(tmp_path).unwrap(wrapped, region=IN, tag=BOTH)


async def test_a_regions_new_key_does_not_unwrap_what_its_old_one_wrapped(tmp_path: Path) -> None:
    old = key_file(tmp_path)
    wrapped = await old.wrap(new_data_key(), region=EU, tag=BOTH)
    new = LocalKeyFile(EU, old.key_id, bytes(32))
    with pytest.raises(SealError):
        await new.unwrap(wrapped, region=EU, tag=BOTH)


async def test_a_key_unwraps_only_under_the_very_same_tag(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    for other in (
        tag_for(regions=(EU,)),
        tag_for(regions=(IN, EU)),
        tag_for(OTHER, (EU, IN)),
        BOTH.for_class(DataClass.METRICS),
        BOTH.model_copy(update={"tenant": "bakery"}),
        BOTH.model_copy(update={"expires_at": BOTH.expires_at + 1}),
        BOTH.model_copy(update={"jurisdictions": ("in",)}),
    ):
        with pytest.raises(SealError):
            await keys.unwrap(wrapped, region=EU, tag=other)


async def test_a_wrapped_key_cut_short_or_changed_does_not_unwrap(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    for length in range(len(wrapped)):
        with pytest.raises(SealError):
            await keys.unwrap(wrapped[:length], region=EU, tag=BOTH)
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1
        with pytest.raises(SealError):
            await keys.unwrap(bytes(changed), region=EU, tag=BOTH)
