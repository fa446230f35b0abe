"""How much each source may send."""

from __future__ import annotations

from ipaddress import ip_network

from edge.transport.sip.net.budgets import MAX_SOURCES, SourceBudgets, source_key
from edge.transport.sip.net.settings import Limits

LIMITS = Limits(source_rate=1, source_burst=3, trusted_rate=10, trusted_burst=50)


def taken(budgets: SourceBudgets, host: str, times: int = 100, now: float = 0.0) -> int:
    return sum(budgets.take(host, now) for _ in range(times))


def test_a_source_may_send_its_burst_and_then_its_rate() -> None:
    budgets = SourceBudgets(LIMITS)
    assert taken(budgets, "192.0.2.1") == 3
    assert taken(budgets, "192.0.2.1", now=2.0) == 2
    assert budgets.refused == 195


def test_one_source_does_not_use_up_anothers() -> None:
    budgets = SourceBudgets(LIMITS)
    taken(budgets, "192.0.2.1")
    assert taken(budgets, "192.0.2.2") == 3


def test_all_addresses_of_an_ipv6_network_are_one_source() -> None:
    budgets = SourceBudgets(LIMITS)
    assert sum(budgets.take(f"2001:db8:0:1::{n:x}", 0.0) for n in range(100)) == 3
    assert budgets.take("2001:db8:0:2::1", 0.0)
    assert source_key("2001:db8:0:1::9") == "2001:db8:0:1::/64"


def test_a_trusted_network_may_send_more_and_each_of_its_addresses() -> None:
    budgets = SourceBudgets(LIMITS, (ip_network("198.51.100.0/24"), ip_network("2001:db8::/64")))
    assert taken(budgets, "198.51.100.7") == 50
    assert taken(budgets, "198.51.100.8") == 50
    assert taken(budgets, "2001:db8::1") == 50
    assert taken(budgets, "2001:db8::2") == 50


def test_whom_we_call_may_answer() -> None:
    budgets = SourceBudgets(LIMITS)
    taken(budgets, "203.0.113.9")
    budgets.called("203.0.113.9")
    assert taken(budgets, "203.0.113.9") == 50


def test_strangers_together_are_bounded_and_trusted_ones_not_with_them() -> None:
    limits = Limits(strangers_rate=1, strangers_burst=10)
    budgets = SourceBudgets(limits, (ip_network("198.51.100.0/24"),))
    assert sum(budgets.take(f"192.0.2.{n}", 0.0) for n in range(200)) == 10
    assert budgets.take("198.51.100.7", 0.0)


def test_the_table_stays_bounded_under_forged_sources() -> None:
    budgets = SourceBudgets(LIMITS)
    for number in range(MAX_SOURCES + 500):
        budgets.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
        budgets.called(f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(budgets) <= MAX_SOURCES
