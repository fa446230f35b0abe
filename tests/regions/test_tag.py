"""A residency tag has one byte form, and nothing else is read as one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from regions.errors import TagError
from regions.models import DataClass
from regions.tag import ResidencyTag

ids = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
tags = st.builds(
    ResidencyTag,
    tenant=ids,
    jurisdictions=st.lists(ids, min_size=1, max_size=4, unique=True).map(tuple),
    data_class=st.sampled_from(DataClass),
    allowed_regions=st.lists(ids, min_size=1, max_size=4, unique=True).map(tuple),
    policy=st.just("2026-11-21.1#0123456789ab"),
    session=st.from_regex(r"s_[0-9A-Za-z]{22}", fullmatch=True),
    expires_at=st.integers(0, 2**40),
)
TAG = ResidencyTag(
    tenant="clinic",
    jurisdictions=("in", "eea"),
    data_class=DataClass.AUDIO,
    allowed_regions=("eu-west-1", "eu-central-1"),
    policy="2026-11-21.1#0123456789ab",
    session="s_1",
    expires_at=1_800_000_000,
)


@given(tags)
def test_a_tag_survives_the_round_trip(tag: ResidencyTag) -> None:
    assert ResidencyTag.from_canonical(tag.canonical()) == tag
    assert type(ResidencyTag.from_canonical(tag.canonical())) is ResidencyTag


def test_the_byte_form_is_pinned() -> None:
    assert TAG.canonical() == (
        b'{"allowed_regions":["eu-west-1","eu-central-1"],"data_class":"audio",'
        b'"expires_at":1800000000,"jurisdictions":["eea","in"],'
        b'"policy":"2026-11-21.1#0123456789ab","session":"s_1","tenant":"clinic","v":1}'
    )


def test_the_order_of_regions_is_kept_and_that_of_jurisdictions_is_not() -> None:
    swapped = ResidencyTag(**{**dict(TAG), "jurisdictions": ("eea", "in")})
    assert swapped.canonical() == TAG.canonical()
    reordered = ResidencyTag(**{**dict(TAG), "allowed_regions": ("eu-central-1", "eu-west-1")})
    assert reordered.canonical() != TAG.canonical()


def test_only_the_class_changes_with_the_class() -> None:
    other = TAG.for_class(DataClass.TRANSCRIPT)
    assert other.data_class is DataClass.TRANSCRIPT
    assert other.for_class(DataClass.AUDIO) == TAG


def test_another_spelling_of_the_same_tag_is_refused() -> None:
    spaced = json.dumps(json.loads(TAG.canonical()), sort_keys=True).encode()
    with pytest.raises(TagError, match="canonical"):
        ResidencyTag.from_canonical(spaced)


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": None}, {"more": 1}, {"allowed_regions": []}, {"data_class": "secrets"}],
)
def test_a_tag_of_another_shape_is_refused(change: dict[str, object]) -> None:
    body = {**json.loads(TAG.canonical()), **change}
    raw = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(TagError):
        ResidencyTag.from_canonical(raw)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_tag_or_refused(raw: bytes) -> None:
    with pytest.raises(TagError):
        ResidencyTag.from_canonical(raw)


def test_a_huge_tag_is_refused_unread() -> None:
    with pytest.raises(TagError, match="longer than"):
        ResidencyTag.from_canonical(b" " * 5_000)


def test_an_id_listed_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="lists an id twice"):
        ResidencyTag(**{**dict(TAG), "allowed_regions": ("a", "a")})
