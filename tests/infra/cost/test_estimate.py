"""An estimate counts what a stack makes, grows with the calls, and says what it assumed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.components.fleet import TARGET_SHARE
from infra.components.machine import DISK_GIB
from infra.cost.estimate import Estimate, Usage, estimate, load_prices, notes, rows
from infra.cost.usage import DISK_GB, PHONE_KBIT, SCALING_TARGET, WEB_KBIT
from infra.settings.region import RegionStack
from regions.errors import ConfigError
from tests.infra.settings.stacks import EDGE, control_plane, region

PRICES = load_prices()
CARRIERS = {"carriers": ["192.0.2.0/28"]}
TURN = {"instanceType": "t4g.small", "nodes": {"min": 2, "max": 4}}
BANK = {"id": "bank", "isolation": "dedicated-fleet", "edge": EDGE}


def of(stack: RegionStack, calls: int, usage: Usage | None = None) -> Estimate:
    return estimate("eu-central-1", stack, calls, PRICES, usage=usage)


def lines(found: Estimate) -> dict[str, float]:
    return {component.name: component.usd for component in found.components}


def test_the_figures_are_those_of_the_components() -> None:
    assert SCALING_TARGET == TARGET_SHARE
    assert DISK_GB == DISK_GIB


def test_a_call_carries_its_headers() -> None:
    # 20 IPv4 + 8 UDP + 12 RTP + 10 SRTP bytes, 50 times a second, are 20 kbit/s.
    assert pytest.approx(24 + 20 + 1) == WEB_KBIT
    assert pytest.approx(64 + 20 + 1) == PHONE_KBIT


def test_nodes_are_those_of_the_scaling_target_within_least_and_most() -> None:
    # 60 calls a node at 60 %: 36 each.
    assert [of(region(), calls).nodes for calls in (0, 72, 73, 108, 109)] == [2, 2, 3, 3, 4]
    assert of(region(), 100_000).nodes == 10


def test_the_price_of_a_node_is_its_hours() -> None:
    assert lines(of(region(), 100))["edge nodes"] == pytest.approx(3 * 0.1649 * 730)
    assert lines(of(region(), 0))["store (Valkey)"] == pytest.approx(2 * 0.2104 * 730)


def test_a_fleet_shrinks_when_nobody_calls() -> None:
    half = lines(of(region(), 108 * 3, Usage(hours_per_day=12)))["edge nodes"]
    assert half == pytest.approx((9 + 2) / 2 * 0.1649 * 730)


def test_calls_that_no_fleet_takes_are_not_counted_as_served() -> None:
    found = of(region(), 700)
    assert found.served == 600
    assert any("100 of 700 calls are refused" in note for note in notes(found))
    assert any("raise nodes.max" in note for note in notes(found))


def test_data_out_is_the_codecs_bit_rate() -> None:
    month = 100 * 730 * 3600
    web = lines(of(region(), 100))["data to the internet"]
    assert web == pytest.approx(WEB_KBIT * 1000 / 8 * month / 1e9 * 0.09)
    phone = lines(of(region({"sip": CARRIERS}), 100, Usage(phone_share=1)))["data to the internet"]
    assert phone / web == pytest.approx(PHONE_KBIT / WEB_KBIT)


def test_a_balancer_is_paid_for_where_there_is_one() -> None:
    assert "network load balancer" not in lines(of(region(), 10))
    assert "network load balancer" in lines(of(region({"sip": CARRIERS}), 10))
    relayed = lines(of(region({"turn": TURN}), 10))
    assert relayed["relays (TURN)"] == pytest.approx(2 * 0.0192 * 730)
    assert relayed["network load balancer"] > 730 * 0.027


def test_a_balancer_has_an_address_in_each_zone() -> None:
    nodes = lines(of(region(), 100))["public IPv4 addresses"]
    balanced = lines(of(region({"sip": CARRIERS}), 100))["public IPv4 addresses"]
    assert nodes == pytest.approx(3 * 0.005 * 730)
    assert balanced == pytest.approx((3 + 3) * 0.005 * 730)


def test_hardware_of_ones_own_costs_a_fee_once_for_the_region() -> None:
    other = {**BANK, "id": "other"}
    found = lines(of(region({"tenants": [BANK, other]}), 10))
    assert found["dedicated hardware"] == 2 * 730
    assert found["edge nodes of bank"] == pytest.approx(2 * 0.1649 * 1.1 * 730)
    assert "dedicated hardware" not in lines(of(region(), 10))


def test_every_component_that_is_promised_is_there() -> None:
    stack = region({"sip": CARRIERS, "turn": TURN})
    assert {*lines(of(stack, 100))} == {
        "edge nodes",
        "relays (TURN)",
        "store (Valkey)",
        "disks",
        "public IPv4 addresses",
        "network load balancer",
        "data to the internet",
        "interface endpoints",
        "recordings (S3)",
        "logs and flow logs",
        "metrics, alarms, dashboard",
        "keys",
        "secrets",
        "certificate",
        "names (Route 53)",
        "budget",
    }


def test_nothing_recorded_is_nothing_kept() -> None:
    found = of(region(), 100, Usage(recorded_share=0))
    assert lines(found)["recordings (S3)"] == 0


@given(
    st.integers(0, 2_000),
    st.integers(0, 2_000),
    st.floats(0.5, 24),
    st.booleans(),
)
def test_more_calls_never_cost_less(few: int, more: int, hours: float, wide: bool) -> None:
    stack = region({"sip": CARRIERS, "turn": TURN} if wide else {})
    usage = Usage(hours_per_day=hours)
    low, high = sorted((few, more))
    before, after = of(stack, low, usage), of(stack, high, usage)
    assert before.usd <= after.usd
    assert before.served <= after.served
    for one, other in zip(before.components, after.components, strict=True):
        assert one.name == other.name
        assert one.usd <= other.usd


@given(st.integers(1, 2_000), st.floats(0.5, 24))
def test_a_minute_times_the_minutes_is_the_bill(calls: int, hours: float) -> None:
    found = of(region(), calls, Usage(hours_per_day=hours))
    assert found.call_minutes == pytest.approx(found.served * hours / 24 * 730 * 60)
    assert found.usd_per_call_minute is not None
    assert found.usd_per_call_minute * found.call_minutes == pytest.approx(found.usd)


@given(st.floats(0.5, 12), st.integers(1, 600))
def test_longer_hours_never_cost_less(hours: float, calls: int) -> None:
    short = of(region(), calls, Usage(hours_per_day=hours))
    long = of(region(), calls, Usage(hours_per_day=2 * hours))
    assert short.usd <= long.usd


def test_without_calls_there_is_no_price_of_a_minute() -> None:
    found = of(region(), 0)
    assert found.usd_per_call_minute is None
    assert not any("per call-minute" in note for note in notes(found))
    with pytest.raises(ValueError, match="0 or more"):
        of(region(), -1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hours_per_day": 0},
        {"hours_per_day": 25},
        {"phone_share": 1.1},
        {"turn_share": -0.1},
        {"recorded_share": 2},
        {"call_minutes": 0},
    ],
)
def test_usage_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Usage(**wrong)


def test_rows_mark_what_nobody_confirmed_and_end_with_the_total() -> None:
    found = of(region({"sip": CARRIERS}), 100)
    printed = {name: usd for name, usd, _ in rows(found)}
    assert printed["network load balancer"].startswith("~")
    assert not printed["edge nodes"].startswith("~")
    assert rows(found)[-1][:2] == ("total", f"{found.usd:,.2f}")
    assert found.usd == pytest.approx(sum(component.usd for component in found.components))


def test_the_notes_say_hours_nodes_and_the_tables_day() -> None:
    said = "\n".join(notes(of(region({"tenants": [BANK]}), 100, Usage(hours_per_day=8))))
    assert "100 calls at a time, 8 hours a day" in said
    assert "3 nodes while the calls stand: each at 60% of its 60 calls, within 2 to 10" in said
    assert "counted at their least nodes" in said
    assert "prices as of 2026-11-21" in said


def test_a_tenants_own_account_is_priced_in_its_region() -> None:
    own = region({"tenants": [{"id": "bank", "isolation": "dedicated-account"}]})
    found = estimate("eu-central-1.bank", own, 10, PRICES)
    assert found.usd == pytest.approx(of(own, 10).usd)


def test_the_control_plane_is_priced_region_by_region() -> None:
    found = estimate("control-plane", control_plane(), 100, PRICES)
    costs = lines(found)
    assert costs["eu-central-1: replicas"] == pytest.approx(0.0192 * 730)
    assert costs["ap-south-1: replicas"] == pytest.approx(0.0112 * 730)
    assert costs["names (Route 53)"] > 2 * 1.5
    assert found.usd > estimate("control-plane", control_plane(), 0, PRICES).usd


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"edge.instanceType": "x2.large"}, "no price is known for x2.large"),
        ({"store": {"nodeType": "cache.x2.large"}}, "no price is known for cache.x2.large"),
    ],
)
def test_what_has_no_price_is_refused_with_the_way_out(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words + ".*--prices"):
        of(region(changes), 1)
