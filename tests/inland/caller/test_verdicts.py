"""Two dozen regions are told in as many lines as there are reasons."""

from __future__ import annotations

from control_plane.contract import RegionVerdict
from inland.caller.verdicts import grouped


def refused(region: str, reason: str) -> RegionVerdict:
    return RegionVerdict(region=region, allowed=False, reason=reason)


def test_regions_that_share_a_reason_but_for_the_place_share_a_line() -> None:
    law = "calls from the EEA stay in the EEA (GDPR: Chapter V)"
    verdicts = [
        refused("ap-south-1", f"in India: {law}"),
        refused("eu-west-1", "the tenant's contract denies this region"),
        *(refused(f"us-{number}", f"in the United States: {law}") for number in range(4)),
    ]
    assert grouped(verdicts) == [
        ("ap-south-1, us-0, us-1 and 2 more", law),
        ("eu-west-1", "the tenant's contract denies this region"),
    ]


def test_a_region_alone_with_its_reason_keeps_its_place() -> None:
    alone = refused("sa-east-1", "in Brazil: calls from Japan stay in Japan (Article 28)")
    assert grouped([alone]) == [("sa-east-1", alone.reason)]


def test_no_verdict_is_no_line() -> None:
    assert grouped([]) == []
