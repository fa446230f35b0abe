"""The price table says from where and when its figures are, and covers what the stacks use."""

from pathlib import Path

import pytest

from infra.cost.prices import load_prices
from infra.settings.offered import load_offered
from regions.errors import ConfigError

TABLE = Path(__file__).parents[3] / "infra" / "cost" / "prices.yaml"
PRICES = load_prices()
OFFERED = load_offered()


@pytest.mark.parametrize("region", sorted(OFFERED.regions))
def test_what_is_offered_has_a_price(region: str) -> None:
    here = PRICES.region(region)
    for name in OFFERED.instance_types(region):
        assert here.instance_hour(name) > 0
    assert {*OFFERED.regions[region].cache_nodes} <= {*here.cache_nodes}


def test_a_price_doubles_with_the_size() -> None:
    frankfurt = PRICES.region("eu-central-1")
    assert frankfurt.instance_hour("c7g.xlarge") == 2 * frankfurt.instance_hour("c7g.large")
    assert frankfurt.instance_hour("t4g.small") == pytest.approx(0.0192)


def test_every_figure_has_a_source_or_is_marked() -> None:
    assert all(source.title and source.date and source.covers for source in PRICES.sources)
    assert "instances" in PRICES.region("ap-south-2").unconfirmed
    assert PRICES.region("eu-central-1").confirmed("instances", "cache_nodes")
    assert not PRICES.region("eu-central-1").confirmed("instances", "nlb_hour")


def test_a_mark_on_an_entry_that_is_not_there_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(TABLE.read_text().replace("unconfirmed: [nlb_hour,", "unconfirmed: [nlb,", 1))
    with pytest.raises(ConfigError, match="unconfirmed names no entry: nlb"):
        load_prices(table)


def test_a_table_of_ones_own_is_read_instead(tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(TABLE.read_text().replace("c7g: 0.08245", "c7g: 0.05"))
    assert load_prices(table).region("eu-central-1").instance_hour("c7g.large") == 0.05


def test_a_region_without_prices_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"no prices are known for sa-east-1.*--prices"):
        PRICES.region("sa-east-1")
