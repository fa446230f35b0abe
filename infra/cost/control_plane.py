"""What the control plane's stack costs, in all its regions together."""

from __future__ import annotations

from collections.abc import Iterator

from infra.cost import parts
from infra.cost.model import Component
from infra.cost.parts import Machines
from infra.cost.prices import Prices
from infra.cost.usage import (
    ALARMS,
    ALB_UNIT_CONNECTIONS,
    BEAT_KB,
    HOURS_A_MONTH,
    LOG_GB_PER_NODE,
    METRICS,
    MINUTES_A_MONTH,
    QUERIES_PER_CALL,
    Usage,
)
from infra.settings.control_plane import ControlPlaneStack, Replicas

LOGS_DAYS = 30
PLACEMENT_KB = 4.0
"""A call that is placed: question, token and headers."""


def components(
    stack: ControlPlaneStack, zones: dict[str, int], calls: int, usage: Usage, prices: Prices
) -> Iterator[Component]:
    """Every line of the bill. Raises ``ConfigError`` when something has no price."""
    everywhere = prices.everywhere
    placed = calls * usage.busy * MINUTES_A_MONTH / usage.call_minutes
    for replicas in stack.regions:
        for part in _region(replicas, zones[replicas.region], placed, prices):
            yield Component(f"{replicas.region}: {part.name}", part.usd, part.basis, part.confirmed)
    yield parts.watching(METRICS * len(stack.regions), ALARMS * len(stack.regions), everywhere)
    queries = QUERIES_PER_CALL * placed
    checks = len(stack.regions)
    yield Component(
        "names (Route 53)",
        everywhere.zone_month
        + queries / 1e6 * everywhere.queries_million
        + checks * everywhere.health_check_month,
        f"1 zone, {queries:,.0f} queries, {checks} health checks",
        everywhere.confirmed("zone_month", "queries_million", "health_check_month"),
    )
    yield Component("certificates", 0.0, "those of balancers are free")
    yield parts.budget()


def _region(replicas: Replicas, zones: int, placed: float, prices: Prices) -> Iterator[Component]:
    here, everywhere = prices.region(replicas.region), prices.everywhere
    logs = replicas.replicas * LOG_GB_PER_NODE
    yield parts.machines(
        Machines("replicas", replicas.instance_type, replicas.replicas), here, everywhere
    )
    yield parts.disks(replicas.replicas, here)
    yield parts.addresses(replicas.replicas + zones, everywhere)
    # Nodes keep their connections, so it is callers who open new ones.
    units = max(1.0, placed / (MINUTES_A_MONTH * 60) / ALB_UNIT_CONNECTIONS)
    yield Component(
        "load balancer",
        HOURS_A_MONTH * (here.alb_hour + units * here.alb_unit_hour),
        f"1 balancer with {units:.3g} units; {BEAT_KB:g} KB a beat comes to less than one",
        here.confirmed("alb_hour", "alb_unit_hour"),
    )
    out = placed * PLACEMENT_KB / 1e6
    yield Component(
        "data to the internet",
        out * here.data_out_gb,
        f"{out:.3g} GB of answers, if all calls were placed here",
        here.confirmed("data_out_gb"),
    )
    yield parts.logs(logs, LOGS_DAYS, here)
    yield parts.keys(1, 0, everywhere)
    yield parts.secrets(replicas.replicas + 1, everywhere)
