"""``inland regions cost``: a month's bill for so many calls at a time, and a minute of a call.

An estimate from a table, not an offer: what AWS charges is on its bill. Left out: tax, support,
discounts, data between zones, updates and image downloads, models and carriers of your own.
"""

from __future__ import annotations

from infra.cost import control_plane, region
from infra.cost.model import Component, Estimate
from infra.cost.prices import Prices, load_prices
from infra.cost.region import Load
from infra.cost.usage import SCALING_TARGET, Usage
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.names import parse_stack_name
from infra.settings.offered import Offered, load_offered
from infra.settings.region import RegionStack

__all__ = [
    "Component",
    "Estimate",
    "Prices",
    "Usage",
    "estimate",
    "load_prices",
    "notes",
    "rows",
]

ZONES = 3
"""Of a region that the table of what AWS offers does not know."""


def estimate(
    stack_name: str,
    stack: RegionStack | ControlPlaneStack,
    calls: int,
    prices: Prices,
    *,
    usage: Usage | None = None,
    offered: Offered | None = None,
) -> Estimate:
    """What ``stack`` costs a month with ``calls`` at a time.

    ``usage`` defaults to all calls around the clock. Raises ``ConfigError`` when the table lacks a
    price and ``ValueError`` for less than no calls.
    """
    if calls < 0:
        raise ValueError("calls: 0 or more")
    usage = usage or Usage()
    offered = offered or load_offered()
    if isinstance(stack, ControlPlaneStack):
        zones = {part.region: _zones(part.region, offered) for part in stack.regions}
        lines = tuple(control_plane.components(stack, zones, calls, usage, prices))
        nodes = sum(part.replicas for part in stack.regions)
        return Estimate(stack_name, calls, calls, nodes, usage, prices.read_on, lines)
    place = parse_stack_name(stack_name).region
    load = Load(stack, calls, usage)
    lines = tuple(region.components(place, _zones(place, offered), load, prices))
    words = tuple(_limits(load))
    return Estimate(stack_name, calls, load.served, load.nodes, usage, prices.read_on, lines, words)


def rows(found: Estimate) -> list[tuple[str, str, str]]:
    """Component, US dollars a month, what was counted; the total last.

    ``~`` before an amount: a price in it was not read anywhere, but taken from a neighbour.
    """
    lines = [
        (line.name, f"{'' if line.confirmed else '~'}{line.usd:,.2f}", line.basis)
        for line in found.components
    ]
    return [*lines, ("total", f"{found.usd:,.2f}", "")]


def notes(found: Estimate) -> list[str]:
    """Sentences to print below the rows: the price of a minute, and what was assumed."""
    usage = found.usage
    said = [
        f"{found.served} calls at a time, {usage.hours_per_day:g} hours a day, every day: "
        f"{found.call_minutes:,.0f} call-minutes a month"
    ]
    per_minute = found.usd_per_call_minute
    if per_minute is not None:
        said.append(f"{per_minute:.5f} USD per call-minute")
    said += found.notes
    said.append(
        f"on demand, without tax and discounts; prices as of {found.read_on} (infra/cost/"
        "prices.yaml says from where), ~ marks those that were not confirmed"
    )
    return said


def _zones(place: str, offered: Offered) -> int:
    offer = offered.regions.get(place)
    return ZONES if offer is None else len(offer.zones)


def _limits(load: Load) -> list[str]:
    edge = load.stack.edge
    said = [
        f"{load.nodes} nodes while the calls stand: each at {SCALING_TARGET:.0%} of its "
        f"{edge.calls_per_node} calls, within {edge.nodes.min} to {edge.nodes.max}"
    ]
    if load.served < load.calls:
        said.append(
            f"{load.calls - load.served} of {load.calls} calls are refused: {edge.nodes.max} nodes "
            f"take {load.served}; raise nodes.max"
        )
    if any(tenant.edge is not None for tenant in load.stack.tenants):
        said.append("fleets of single tenants and relays are counted at their least nodes")
    return said
