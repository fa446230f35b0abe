"""Where a call goes: pure. Residency filters first, preference only orders what is left.

1. Only regions of the ruling's allowed set are looked at; nothing below can add one.
2. Nodes that are dead, draining, full by their own report, or of another policy are dropped (a new
   policy reaches nodes and replicas seconds apart: ``control_plane/law.py`` has the grace); and so
   are nodes that name other tenants as the only ones they serve. A dedicated tenant's callers
   go to nodes that name it, and to no other.
   A *suspect* node (it missed beats) is a last resort: it comes after every live node of every
   region, because trying it costs a caller less than being refused.
3. Regions are ordered by distance in steps of ``DISTANCE_STEP_KM``, then by load, so that two
   regions which a caller cannot tell apart share the work. A region all of whose nodes are
   spoken for goes behind those with room.
4. Inside a region two nodes are drawn at random and the less loaded one goes first: with views a
   second old, always taking the least loaded node sends every caller to the same one
   (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).

Load is (reported + own in-flight) / capacity. In-flight callers order nodes but never make one
full: those who asked and never came must not shut anyone out. The edge has the last word.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from control_plane.contract import Candidate, RegionVerdict
from control_plane.directory import Health, NodeView
from control_plane.law import Rollout
from control_plane.ruling import Ruling
from control_plane.tenants import Tenant
from regions.geo import country_position, distance_km
from regions.models import Catalogue

PER_REGION = 2
"""Candidates of one region and health."""
DISTANCE_STEP_KM = 250
"""About 2.5 ms of round trip in fibre: below what a caller can notice."""


@dataclass(frozen=True, slots=True)
class Placement:
    """``candidates`` in order of preference, all of them in allowed regions; maybe none.

    ``regions`` has every region of the catalogue: why it is not allowed, or what it has to offer.
    """

    candidates: tuple[Candidate, ...]
    regions: tuple[RegionVerdict, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    """What one allowed region can do for the caller now."""

    region: str
    distance: float
    live: tuple[NodeView, ...]
    suspect: tuple[NodeView, ...]
    dropped: Mapping[str, int]

    @property
    def load(self) -> float:
        """Of all live nodes together; a region without any is as good as full."""
        capacity = sum(node.capacity for node in self.live)
        return sum(node.active + node.in_flight for node in self.live) / capacity if capacity else 1

    @property
    def rank(self) -> tuple[bool, float, float, float]:
        load = self.load
        step = math.inf if math.isinf(self.distance) else self.distance // DISTANCE_STEP_KM
        return load >= 1, step, load, self.distance


def place(
    catalogue: Catalogue,
    ruling: Ruling,
    nodes: Mapping[str, Sequence[NodeView]],
    near: str | None,
    rng: random.Random,
    tenant: Tenant,
    rollout: Rollout,
) -> Placement:
    """Order the nodes that may take a call of ``ruling`` for ``tenant``.

    ``nodes`` maps a region to its nodes; regions outside the allowed set are ignored. ``near`` is
    the caller's country, or None when only its law is known. ``rollout`` says which policies the
    nodes may be on.
    """
    distances = distances_from(catalogue, near)
    offers = [
        _offer(region, distances[region], nodes.get(region, ()), rollout, tenant)
        for region in ruling.allowed
    ]
    offers.sort(key=lambda offer: offer.rank)
    nearest = min((o.distance for o in offers if o.live or o.suspect), default=math.inf)
    candidates: list[Candidate] = []
    for health in (Health.LIVE, Health.SUSPECT):
        for offer in offers:
            pool = offer.live if health is Health.LIVE else offer.suspect
            words = _words(offer, nearest, health)
            candidates += [
                Candidate(region=n.region, node=n.node, url=n.url, reason=words, sip=n.sip)
                for n in _two_choices(pool, rng)
            ]
    shortages = {o.region: _shortage(o) for o in offers if not o.live and not o.suspect}
    regions = tuple(
        RegionVerdict(
            region=verdict.region,
            allowed=verdict.allowed,
            reason=verdict.reason + shortages.get(verdict.region, ""),
        )
        for verdict in ruling.verdicts
    )
    return Placement(tuple(candidates), regions)


def distances_from(catalogue: Catalogue, near: str | None) -> dict[str, float]:
    """Great-circle kilometres from a country's reference point to every region.

    All infinite when the position is not known, which leaves load and the catalogue's order.
    """
    position = None if near is None else country_position(near)
    if position is None:
        return {region.id: math.inf for region in catalogue.regions}
    return {
        region.id: distance_km(*position, region.latitude, region.longitude)
        for region in catalogue.regions
    }


def _offer(
    region: str, distance: float, nodes: Sequence[NodeView], rollout: Rollout, tenant: Tenant
) -> _Offer:
    live: list[NodeView] = []
    suspect: list[NodeView] = []
    dropped: Counter[str] = Counter()
    for node in nodes:
        if node.region != region:
            continue
        reason = not_for(tenant, node.tenants) or _unfit(node, rollout)
        if reason is not None:
            dropped[reason] += 1
        elif node.health is Health.LIVE:
            live.append(node)
        else:
            suspect.append(node)
    return _Offer(region, distance, tuple(live), tuple(suspect), dropped)


def not_for(tenant: Tenant, served: Collection[str] | None) -> str | None:
    """Why a node is none for ``tenant``, or None. ``served``: the only tenants that it takes, or
    None when it takes every one without nodes of its own."""
    if served is not None:
        return None if tenant.id in served else "kept for other tenants"
    return "shared by tenants" if tenant.isolation == "dedicated" else None


def _unfit(node: NodeView, rollout: Rollout) -> str | None:
    if node.health is Health.DEAD:
        return "dead"
    if node.draining:
        return "draining"
    strange = rollout.why_not(node.policy, node.serial, node.policy_since)
    if strange is not None:
        return strange
    return "full" if node.active >= node.capacity else None


def _two_choices(pool: Sequence[NodeView], rng: random.Random) -> list[NodeView]:
    """Up to two nodes, the less loaded first; those with room left before the spoken-for."""
    roomy = [node for node in pool if node.active + node.in_flight < node.capacity]
    chosen = rng.sample(roomy, min(PER_REGION, len(roomy)))
    if len(chosen) < PER_REGION:
        rest = [node for node in pool if node.active + node.in_flight >= node.capacity]
        chosen += rng.sample(rest, min(PER_REGION - len(chosen), len(rest)))
    return sorted(chosen, key=lambda node: (node.active + node.in_flight) / node.capacity)


def _words(offer: _Offer, nearest: float, health: Health) -> str:
    if math.isinf(offer.distance):
        where = "allowed region, distance unknown"
    else:
        kind = "nearest allowed region" if offer.distance <= nearest else "allowed region"
        where = f"{kind}, {round(offer.distance)} km"
    return where if health is Health.LIVE else f"{where}; last resort, the node missed beats"


def _shortage(offer: _Offer) -> str:
    if not offer.dropped:
        return "; no node is known here"
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(offer.dropped.items()))
    return f"; no node can take a call: {counts}"
