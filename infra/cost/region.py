"""What a region's stack costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from infra.cost import parts
from infra.cost.model import Component
from infra.cost.parts import Machines
from infra.cost.prices import Prices
from infra.cost.usage import (
    ALARMS,
    DAYS_A_MONTH,
    FLOW_LOG_KB_PER_CALL_MINUTE,
    HOURS_A_MONTH,
    KEY_REQUESTS_PER_CALL,
    LOG_GB_PER_NODE,
    LOG_KB_PER_CALL_MINUTE,
    METRICS,
    METRICS_PER_FLEET,
    MINUTES_A_MONTH,
    NLB_UNIT_GB_HOUR,
    PHONE_KBIT,
    QUERIES_PER_CALL,
    RECORDING_KBIT,
    SCALING_TARGET,
    WEB_KBIT,
    Usage,
    gigabytes,
)
from infra.settings.region import RegionStack
from regions.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Load:
    """The calls of a month on a stack. All of them fall to the shared fleet."""

    stack: RegionStack
    calls: int
    usage: Usage

    @property
    def served(self) -> int:
        """Of the calls at a time, how many the fleet takes at its largest."""
        return min(self.calls, self.stack.edge.nodes.max * self.stack.edge.calls_per_node)

    @property
    def nodes(self) -> int:
        """While the calls stand: as many as keep each at the scaling target, within min and max."""
        wanted = ceil(self.calls / (SCALING_TARGET * self.stack.edge.calls_per_node))
        return max(self.stack.edge.nodes.min, min(self.stack.edge.nodes.max, wanted))

    @property
    def average_nodes(self) -> float:
        """Over the month: when nobody calls, the fleet shrinks to its least."""
        return self.usage.busy * self.nodes + (1 - self.usage.busy) * self.stack.edge.nodes.min

    @property
    def minutes(self) -> float:
        """Of calls in a month."""
        return self.served * self.usage.busy * MINUTES_A_MONTH

    @property
    def number(self) -> float:
        """Of calls in a month."""
        return self.minutes / self.usage.call_minutes

    @property
    def phone_share(self) -> float:
        if self.usage.phone_share is not None:
            return self.usage.phone_share
        return 0.5 if self.stack.sip is not None else 0.0

    @property
    def data_out(self) -> float:
        """Gigabytes to the internet. A relayed call leaves once, by the relay."""
        kbit = self.phone_share * PHONE_KBIT + (1 - self.phone_share) * WEB_KBIT
        return gigabytes(kbit, self.minutes)

    @property
    def relayed(self) -> float:
        """Gigabytes through the relays' balancer, both ways."""
        if self.stack.turn is None:
            return 0.0
        share = self.usage.turn_share * (1 - self.phone_share)
        return 2 * gigabytes(WEB_KBIT * share, self.minutes)

    @property
    def log_gigabytes(self) -> float:
        per_minute = (LOG_KB_PER_CALL_MINUTE + FLOW_LOG_KB_PER_CALL_MINUTE) / 1e6
        nodes = sum(fleet.nodes for fleet in fleets(self))
        return self.minutes * per_minute + nodes * LOG_GB_PER_NODE


def fleets(load: Load) -> list[Machines]:
    """The nodes of a stack: shared, of single tenants (at their least), relays (at their least)."""
    edge = load.stack.edge
    found = [
        Machines("edge nodes", edge.instance_type, load.average_nodes, stopped=edge.nodes.warm)
    ]
    for tenant in load.stack.tenants:
        if tenant.edge is not None:
            least = tenant.edge.nodes
            found.append(
                Machines(
                    f"edge nodes of {tenant.id}",
                    tenant.edge.instance_type,
                    least.min,
                    stopped=least.warm,
                    dedicated=True,
                )
            )
    if load.stack.turn is not None:
        turn = load.stack.turn
        found.append(Machines("relays (TURN)", turn.instance_type, turn.nodes.min))
    return found


def components(region: str, zones: int, load: Load, prices: Prices) -> Iterator[Component]:
    """Every line of the bill. Raises ``ConfigError`` when something has no price."""
    here, everywhere = prices.region(region), prices.everywhere
    machines = fleets(load)
    balanced = load.stack.sip is not None or load.stack.turn is not None
    running = sum(fleet.nodes for fleet in machines)
    for fleet in machines:
        yield parts.machines(fleet, here, everywhere)
    if any(fleet.dedicated for fleet in machines):
        yield Component(
            "dedicated hardware",
            everywhere.dedicated_region_hour * HOURS_A_MONTH,
            f"a fee of {everywhere.dedicated_region_hour:g} an hour for the whole region",
        )
    yield _store(region, load, prices)
    yield parts.disks(sum(fleet.disks for fleet in machines), here)
    yield parts.addresses(running + (zones if balanced else 0), everywhere)
    if balanced:
        yield _balancer(region, load, prices)
    yield Component(
        "data to the internet",
        load.data_out * here.data_out_gb,
        f"{load.data_out:,.0f} GB: {_percent(load.phone_share)} PCMU at {PHONE_KBIT:.0f} kbit/s, "
        f"the rest Opus at {WEB_KBIT:.0f}, headers included",
        here.confirmed("data_out_gb"),
    )
    yield parts.endpoints(zones, load.log_gigabytes, here)
    yield _recordings(region, load, prices)
    yield parts.logs(load.log_gigabytes, load.stack.retention.logs_days, here)
    yield parts.watching(METRICS + METRICS_PER_FLEET * len(machines), ALARMS, everywhere)
    yield parts.keys(2 + len(load.stack.tenants), KEY_REQUESTS_PER_CALL * load.number, everywhere)
    secrets = 2 + (load.stack.sip is not None) + (load.stack.turn is not None)
    yield parts.secrets(secrets, everywhere)
    yield Component(
        "certificate",
        everywhere.wildcard_certificate * DAYS_A_MONTH / everywhere.certificate_days,
        f"1 exportable, *.{load.stack.domain}: {everywhere.wildcard_certificate:g} every "
        f"{everywhere.certificate_days} days",
    )
    yield Component(
        "names (Route 53)",
        everywhere.zone_month + QUERIES_PER_CALL * load.number / 1e6 * everywhere.queries_million,
        f"1 zone, {QUERIES_PER_CALL * load.number:,.0f} queries",
        everywhere.confirmed("zone_month", "queries_million"),
    )
    yield parts.budget()


def _store(region: str, load: Load, prices: Prices) -> Component:
    here = prices.region(region)
    store = load.stack.store
    if store.node_type not in here.cache_nodes:
        raise ConfigError(
            f"no price is known for {store.node_type} in {region}: give a table that has it "
            "with --prices"
        )
    hour = here.cache_nodes[store.node_type]
    count = 1 + store.replicas
    return Component(
        "store (Valkey)",
        count * hour * HOURS_A_MONTH,
        f"{count} x {store.node_type} at {hour:.4g} an hour",
        here.confirmed("cache_nodes"),
    )


def _balancer(region: str, load: Load, prices: Prices) -> Component:
    here = prices.region(region)
    units = load.relayed / NLB_UNIT_GB_HOUR
    return Component(
        "network load balancer",
        HOURS_A_MONTH * here.nlb_hour + units * here.nlb_unit_hour,
        f"1 balancer, {units:.3g} unit-hours of relayed media; SIP signalling rounds to none",
        here.confirmed("nlb_hour", "nlb_unit_hour"),
    )


def _recordings(region: str, load: Load, prices: Prices) -> Component:
    here = prices.region(region)
    share = load.usage.recorded_share
    days = load.stack.retention.recordings_days
    kept = share * gigabytes(RECORDING_KBIT, load.minutes) * days / DAYS_A_MONTH
    return Component(
        "recordings (S3)",
        kept * here.objects_gb_month + share * load.number / 1000 * here.puts_thousand,
        f"{kept:,.0f} GB once {days} days are full: {_percent(share)} of calls at "
        f"{RECORDING_KBIT:.0f} kbit/s",
        here.confirmed("objects_gb_month", "puts_thousand"),
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
