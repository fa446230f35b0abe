"""What AWS offers is a table with its day; what is not in it is refused with the way out."""

from pathlib import Path

import pytest

from infra.settings.offered import load_offered
from regions.errors import ConfigError

OFFERED = load_offered()


def test_a_type_tells_its_size_and_processor() -> None:
    found = OFFERED.instance_type("c7g.xlarge")
    assert (found.vcpus, found.memory_gib, found.architecture) == (4, 8, "arm64")
    assert OFFERED.instance_type("c7i.large").architecture == "amd64"


def test_a_refusal_tells_the_day_and_the_nearest() -> None:
    words = OFFERED.refusal_of_instance("me-central-1", "c7g.xlarge")
    assert words is not None
    assert "as far as was checked on 2026-11-21" in words
    assert "take " in words
    assert "--offered" in words


def test_a_region_that_was_not_checked_says_so() -> None:
    words = OFFERED.refusal_of_cache("sa-east-1", "cache.r7g.large")
    assert words is not None
    assert "nothing is known of what sa-east-1 offers" in words


def test_zones_are_ids_of_their_region() -> None:
    prefixes = {
        region: {zone.split("-")[0] for zone in offer.zones}
        for region, offer in OFFERED.regions.items()
    }
    assert all(len(found) == 1 for found in prefixes.values())
    assert len({min(found) for found in prefixes.values()}) == len(prefixes)
    assert all(2 <= len({*offer.zones}) <= 3 for offer in OFFERED.regions.values())


def test_a_zone_that_aws_does_not_restore_is_left_out() -> None:
    assert "mec1-az2" not in OFFERED.regions["me-central-1"].zones


def test_a_table_that_names_an_unknown_family_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "offered.yaml"
    source = Path(__file__).parents[3] / "infra" / "settings" / "offered.yaml"
    table.write_text(source.read_text().replace("families: [c6g, c7g", "families: [x9, c7g"))
    with pytest.raises(ConfigError, match="no sizes are given for x9"):
        load_offered(table)
