"""A bundle's file is the operator's, fits this replica and is newer, or is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from control_plane.errors import PolicyError
from control_plane.policy_file import PolicyFile, SignedLaw, misfits_of
from control_plane.policy_state import PolicyState, Remembered, remembered, replaces
from control_plane.tenants import load_tenants
from regions.bundle import MAX_BUNDLE, BundleRefused
from tests.control_plane.bundles import NO_GERMANY, OTHER, bundle, put, source, without
from tests.control_plane.helpers import CATALOGUE, DEMO_TENANTS


def read(folder: Path, raw: bytes) -> SignedLaw:
    put(folder, raw)
    return PolicyFile(source(folder)).read()


def refusal(folder: Path) -> tuple[str, str]:
    tenants = load_tenants(DEMO_TENANTS, CATALOGUE)
    misfits = misfits_of(tenants, {"eu-central-1": (), "me-south-1": ()})
    with pytest.raises(BundleRefused) as refused:
        PolicyFile(source(folder)).read(misfits)
    return refused.value.code, str(refused.value)


def test_a_good_bundle_is_kept_as_the_bytes_that_were_signed(tmp_path: Path) -> None:
    raw = bundle(7, NO_GERMANY)
    found = read(tmp_path, raw)
    assert found.raw == raw
    assert (found.law.serial, found.law.contracts) == (7, NO_GERMANY)


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"", "malformed", "no policy bundle|not a policy bundle"),
        (b" " * (MAX_BUNDLE + 1), "malformed", "longer than"),
        (bundle()[:-20], "malformed", "not a policy bundle"),
        (bundle(key=OTHER), "unknown_key", "not trusted"),
        (bundle(catalogue=without("me-south-1")), "incompatible", "node_secrets.*me-south-1"),
        (bundle(catalogue=without("eu-central-1")), "incompatible", "eu-central-1"),
    ],
)
def test_any_other_is_refused_by_name(tmp_path: Path, raw: bytes, code: str, words: str) -> None:
    put(tmp_path, raw)
    found = refusal(tmp_path)
    assert found[0] == code
    assert found[1].startswith(str(tmp_path / "policy.bundle"))


def test_a_catalogue_without_a_region_that_a_tenant_names_is_refused(tmp_path: Path) -> None:
    put(tmp_path, bundle(catalogue=without("eu-central-1")))
    tenants = load_tenants(DEMO_TENANTS, CATALOGUE)  # the bank's names Frankfurt alone
    with pytest.raises(BundleRefused, match=r"tenants' file.*demo-bank.*eu-central-1"):
        PolicyFile(source(tmp_path)).read(misfits_of(tenants, ()))


def test_a_file_that_cannot_be_read_is_refused_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    assert refusal(tmp_path)[0] == "unreadable"
    os.mkfifo(tmp_path / "policy.bundle")
    assert refusal(tmp_path)[0] == "unreadable"


def test_a_file_has_changed_when_it_was_written_replaced_or_removed(tmp_path: Path) -> None:
    put(tmp_path, bundle(1))
    file = PolicyFile(source(tmp_path))
    assert file.changed()
    file.read()
    assert not file.changed()
    put(tmp_path, bundle(2))
    assert file.changed()
    file.read()
    (tmp_path / "policy.bundle").unlink()
    assert file.changed()
    with pytest.raises(BundleRefused):
        file.read()
    assert not file.changed()


def test_only_a_later_serial_replaces_and_a_serial_names_one_bundle(tmp_path: Path) -> None:
    five = read(tmp_path, bundle(5))
    assert replaces(five, None)
    assert replaces(read(tmp_path, bundle(6)), remembered(five))
    assert not replaces(five, remembered(five))
    for raw, code in (
        (bundle(4), "older"),
        (bundle(5, NO_GERMANY), "conflicting"),
        (bundle(5, issued_at=1), "conflicting"),
    ):
        with pytest.raises(BundleRefused) as refused:
            replaces(read(tmp_path, raw), remembered(five))
        assert refused.value.code == code
        assert "as number 6" in str(refused.value)


def test_the_memory_outlives_the_program_and_never_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "policy.state"
    assert PolicyState(path).recall() is None
    five, six = read(tmp_path, bundle(5)), read(tmp_path, bundle(6))
    PolicyState(path).remember(six)
    PolicyState(path).remember(five)
    assert PolicyState(path).recall() == Remembered(serial=6, sha256=six.etag)
    assert [p.name for p in tmp_path.glob("*state*")] == ["policy.state"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"6",
        b"\xff",
        b'{"v":1,"serial":0,"sha256":"' + b"0" * 64 + b'"}',
        b'{"v":2,"serial":6,"sha256":"' + b"0" * 64 + b'"}',
        b'{"v":1,"serial":6,"sha256":"' + b"0" * 64 + b'"}' + b" " * 2_000,
    ],
)
def test_a_memory_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.state"
    path.write_bytes(content)
    with pytest.raises(PolicyError, match=r"policy\.state"):
        PolicyState(path).recall()


def test_a_memory_that_cannot_be_opened_is_not_taken_for_none(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"Is a directory"):
        PolicyState(tmp_path).recall()
