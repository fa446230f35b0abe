"""Components that a region and the control plane have alike."""

from __future__ import annotations

from dataclasses import dataclass

from infra.cost.model import Component
from infra.cost.prices import Everywhere, RegionPrices
from infra.cost.usage import DAYS_A_MONTH, DISK_GB, HOURS_A_MONTH
from infra.documents.network import INTERFACES
from regions.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Machines:
    """Nodes of one kind. ``nodes`` is their average over the month, ``stopped`` wait in a pool."""

    name: str
    instance_type: str
    nodes: float
    stopped: int = 0
    dedicated: bool = False

    @property
    def disks(self) -> float:
        """A node that is stopped keeps its disk."""
        return self.nodes + self.stopped


def machines(fleet: Machines, prices: RegionPrices, everywhere: Everywhere) -> Component:
    """What a fleet's nodes cost. Raises ``ConfigError`` when their type has no price."""
    try:
        hour = prices.instance_hour(fleet.instance_type)
    except KeyError:
        raise ConfigError(
            f"no price is known for {fleet.instance_type}: give a table that has it with --prices"
        ) from None
    confirmed = prices.confirmed("instances")
    hardware = ""
    if fleet.dedicated:
        hour *= everywhere.dedicated_factor
        confirmed = confirmed and everywhere.confirmed("dedicated_factor")
        hardware = " on dedicated hardware"
    return Component(
        fleet.name,
        fleet.nodes * hour * HOURS_A_MONTH,
        f"{fleet.nodes:.3g} x {fleet.instance_type}{hardware} at {hour:.4g} an hour",
        confirmed,
    )


def disks(count: float, prices: RegionPrices) -> Component:
    """The nodes' disks."""
    return Component(
        "disks",
        count * DISK_GB * prices.disk_gb_month,
        f"{count:.3g} x {DISK_GB} GB gp3, encrypted",
        prices.confirmed("disk_gb_month"),
    )


def addresses(count: float, everywhere: Everywhere) -> Component:
    """Public IPv4 addresses, of nodes and of a balancer's zones."""
    return Component(
        "public IPv4 addresses",
        count * everywhere.public_ipv4_hour * HOURS_A_MONTH,
        f"{count:.3g} addresses",
    )


def endpoints(zones: int, gigabytes: float, prices: RegionPrices) -> Component:
    """Interface endpoints, by which nodes ask AWS without the internet."""
    count = len(INTERFACES)
    hours = count * zones * HOURS_A_MONTH
    return Component(
        "interface endpoints",
        hours * prices.endpoint_hour + gigabytes * prices.endpoint_gb,
        f"{count} services x {zones} zones ({', '.join(INTERFACES)}), {gigabytes:.3g} GB",
        prices.confirmed("endpoint_hour", "endpoint_gb"),
    )


def keys(count: int, requests: float, everywhere: Everywhere) -> Component:
    """Customer managed keys."""
    return Component(
        "keys",
        count * everywhere.key_month + requests / 10_000 * everywhere.key_requests_10k,
        f"keys: {count}, requests: {requests:,.0f}",
    )


def secrets(count: int, everywhere: Everywhere) -> Component:
    """Containers of secrets."""
    return Component("secrets", count * everywhere.secret_month, f"secrets: {count}")


def logs(gigabytes: float, kept_days: float, prices: RegionPrices) -> Component:
    """Logs of the nodes and of the network's flows: taken in, and kept."""
    kept = gigabytes * kept_days / DAYS_A_MONTH
    return Component(
        "logs and flow logs",
        gigabytes * prices.logs_gb + kept * prices.logs_gb_month,
        f"{gigabytes:.3g} GB a month, kept {kept_days:.0f} days",
        prices.confirmed("logs_gb", "logs_gb_month"),
    )


def watching(metrics: int, alarms: int, everywhere: Everywhere) -> Component:
    """Metrics, alarms and the dashboard."""
    return Component(
        "metrics, alarms, dashboard",
        metrics * everywhere.metric_month
        + alarms * everywhere.alarm_month
        + everywhere.dashboard_month,
        f"{metrics} metrics, {alarms} alarms, 1 dashboard",
        everywhere.confirmed("dashboard_month"),
    )


def budget() -> Component:
    """AWS Budgets that only warn are free ("AWS Budgets pricing", 2026-11-21)."""
    return Component("budget", 0.0, "1 budget, with warnings by e-mail")
