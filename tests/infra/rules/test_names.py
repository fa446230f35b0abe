"""Names of places: what is foreign is found however it is written, and our own words are not."""

from __future__ import annotations

import base64

import pytest

from infra.rules.names import foreign, without_neighbours, zone_prefix
from infra.rules.values import opened

HERE = frozenset({"eu-central-1"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("arn:aws:s3:us-west-2:111122223333:accesspoint/x", ["us-west-2"]),
        ("US-EAST-1", ["us-east-1"]),
        ("recordings-ap-southeast-2-copy", ["ap-southeast-2"]),
        ("ap_south_1", ["ap-south-1"]),
        ("eu-west-1a", ["eu-west-1"]),
        ("eu-west-1, eu-west-2", ["eu-west-1", "eu-west-2"]),
        ("us-gov-west-1", ["us-gov-west-1"]),
        ("cn-northwest-1", ["cn-northwest-1"]),
        ("us-isob-east-1", ["us-isob-east-1"]),
        ("eusc-de-east-1", ["eusc-de-east-1"]),
        ("mx-central-1", ["mx-central-1"]),
        ("il-central-1", ["il-central-1"]),
        ("s3-us-west-1.amazonaws.com", ["us-west-1"]),
        ("use1-az1", ["use1-az1"]),
        ("apne1-az4", ["apne1-az4"]),
        ("usw2-lax1-az1", ["usw2-lax1-az1"]),
        ("eu-central-1-ham-1a", ["eu-central-1-ham-1a"]),
        ("eu-central-1-wl1-ber-wlz-1", ["eu-central-1-wl1-ber-wlz-1"]),
        ("https://bucket.s3.amazonaws.com/x", ["bucket.s3.amazonaws.com"]),
        ("bucket.s3-accelerate.amazonaws.com", ["s3-accelerate"]),
        ("s3-external-1.amazonaws.com", ["s3-external-1"]),
    ],
)
def test_another_place_is_found(text: str, found: list[str]) -> None:
    assert foreign(text, HERE) == found


@pytest.mark.parametrize(
    "text",
    [
        "inland-recordings-111122223333-eu-central-1-clinic",
        "eu-central-1a",
        "euc1-az2",
        "com.amazonaws.eu-central-1.s3",
        "master.inland.euc1.cache.amazonaws.com",
        "bucket.s3.amazonaws.com",
        "s3.eu-central-1.amazonaws.com",
        "alarms of the us, in south-1, and cause-1 too",
        "menu-east-1",
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "cache.r7g.large",
        "the-north-1",
    ],
)
def test_our_own_words_are_not_foreign(text: str) -> None:
    assert foreign(text, HERE) == []


@pytest.mark.parametrize(
    ("region", "prefix"),
    [
        ("eu-central-1", "euc1"),
        ("ap-northeast-1", "apne1"),
        ("ap-south-2", "aps2"),
        ("us-gov-west-1", "usgw1"),
        ("me-central-1", "mec1"),
    ],
)
def test_zone_ids_begin_as_aws_writes_them(region: str, prefix: str) -> None:
    assert zone_prefix(region) == prefix


def test_nodes_may_be_told_where_control_planes_answer_and_nothing_else() -> None:
    told = '{"control_planes": ["https://a.ap-south-1.control.example.org"], "to": "us-east-1"}'
    assert foreign(without_neighbours(told), HERE) == ["us-east-1"]
    assert foreign(without_neighbours('"https://a.ap-south-1.amazonaws.com"'), HERE) != []


def test_a_control_plane_may_know_the_digests_of_other_regions_secrets() -> None:
    digest = "0" * 64
    for secrets in (f'"{digest}"', f'["{digest}", "{digest}"]'):
        told = f'{{"node_secrets": {{"ap-south-1.clinic": {secrets}}}, "at": "us-east-1"}}'
        assert foreign(without_neighbours(told), HERE) == ["us-east-1"]


def test_what_is_encoded_twice_is_opened_twice() -> None:
    inner = base64.b64encode(b"write to arn:aws:s3:us-east-2:111122223333:accesspoint/x")
    outer = base64.b64encode(b"#cloud-config\ncontent: " + inner).decode()
    assert any("us-east-2" in layer for layer in opened(outer))


def test_an_encoding_that_does_not_open_is_left_alone() -> None:
    squeezed = base64.b64encode(b"\x1f\x8b" + b"no gzip at all" * 6).decode()
    assert list(opened(squeezed)) == [squeezed]
