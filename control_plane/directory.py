"""Which nodes there are, as far as their heartbeats say: soft state of one replica.

Nothing here is stored or shared. Nodes beat to every replica once per ``BEAT_SECONDS``, so a
replica that starts knows all of them one beat later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from control_plane.clock import Clock
from control_plane.contract import BEAT_SECONDS, DEAD_SECONDS, SUSPECT_SECONDS, Heartbeat
from control_plane.errors import StaleBeat, TooManyNodes

NODES_PER_REGION = 2_000
"""A region's key can be stolen; it then fills its own region's share of this table, no other's."""
FORGET_SECONDS = 600.0
"""How long a dead node stays visible to operators."""
REMEMBERED_BOOTS = 8


class Health(Enum):
    """How long ago a node was last heard: up to 2.5 s, up to 5 s, longer."""

    LIVE = "live"
    SUSPECT = "suspect"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node at one moment. ``in_flight`` are placements of this replica not yet reported back."""

    region: str
    node: str
    url: str
    capacity: int
    active: int
    in_flight: int
    draining: bool
    policy: str
    version: str
    health: Health
    heard_at: float
    """When it last beat, by the directory's monotonic clock."""
    sip: str | None = None
    tenants: tuple[str, ...] | None = None
    """The only ones it serves; None: every tenant without nodes of its own."""
    serial: int | None = None
    """Of its policy bundle; None without one."""
    policy_since: float = 0.0
    """When it was first heard to be on its policy, by the directory's monotonic clock."""


@dataclass(slots=True)
class _Entry:
    beat: Heartbeat
    at: float
    policy_since: float
    in_flight: int = 0
    retired: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BOOTS))
    view: NodeView | None = None
    """Made when somebody looks, kept until something changes: every caller looks at all nodes."""

    def seen_at(self, now: float) -> NodeView:
        health = _health(now - self.at)
        if self.view is None or self.view.health is not health:
            self.view = _view(self, health)
        return self.view


class Directory:
    """Soft state of nodes. One event loop owns it; no method waits.

    A node is known by (region, node): a region cannot speak for another's node even if both use
    one name.
    """

    def __init__(self, clock: Clock, *, nodes_per_region: int = NODES_PER_REGION) -> None:
        self._clock = clock
        self._nodes_per_region = nodes_per_region
        self._regions: dict[str, dict[str, _Entry]] = {}
        self._warm_at = clock.monotonic() + BEAT_SECONDS

    @property
    def warm(self) -> bool:
        """Whether every node has had the time to beat since this replica started."""
        return self._clock.monotonic() >= self._warm_at

    def beat(self, beat: Heartbeat) -> None:
        """Take a node's word for itself; its region's key has been checked before.

        Within one boot only a higher sequence counts; a new boot replaces the former one, which is
        then ignored for good. In-flight placements are halved: those of the last beat have arrived
        and are in ``active``, or never will. Raises ``StaleBeat``, ``TooManyNodes``.
        """
        now = self._clock.monotonic()
        nodes = self._regions.setdefault(beat.region, {})
        entry = nodes.get(beat.node)
        if entry is None:
            self._make_room(nodes, now)
            nodes[beat.node] = _Entry(beat, now, policy_since=now)
            return
        if beat.boot == entry.beat.boot:
            if beat.sequence <= entry.beat.sequence:
                raise StaleBeat("a heartbeat with this or a higher sequence was already taken")
            entry.in_flight //= 2
        else:
            if beat.boot in entry.retired:
                raise StaleBeat(
                    "a later start of this node beats already; "
                    "end this process, or give it a name of its own"
                )
            entry.retired.append(entry.beat.boot)
            entry.in_flight = 0
        if beat.policy != entry.beat.policy:
            entry.policy_since = now
        entry.beat, entry.at, entry.view = beat, now, None

    def placed(self, region: str, node: str) -> None:
        """Count a caller who was just sent to this node."""
        entry = self._regions.get(region, {}).get(node)
        if entry is not None:
            entry.in_flight += 1
            entry.view = None

    def nodes(self, region: str) -> tuple[NodeView, ...]:
        """The nodes of one region, in order of first arrival, dead ones included."""
        now = self._clock.monotonic()
        return tuple(entry.seen_at(now) for entry in self._regions.get(region, {}).values())

    def regions(self) -> tuple[str, ...]:
        """The regions from which any node was ever heard."""
        return tuple(self._regions)

    def forget_dead(self) -> None:
        """Drop what has been silent for ``FORGET_SECONDS``."""
        now = self._clock.monotonic()
        for nodes in self._regions.values():
            for name in [n for n, e in nodes.items() if now - e.at >= FORGET_SECONDS]:
                del nodes[name]

    def _make_room(self, nodes: dict[str, _Entry], now: float) -> None:
        if len(nodes) < self._nodes_per_region:
            return
        quietest = min(nodes, key=lambda name: nodes[name].at)
        if _health(now - nodes[quietest].at) is not Health.DEAD:
            raise TooManyNodes(
                f"{self._nodes_per_region} nodes of this region are alive; no more are taken",
                retry_after=int(DEAD_SECONDS),
            )
        del nodes[quietest]


def _health(age: float) -> Health:
    if age >= DEAD_SECONDS:
        return Health.DEAD
    return Health.SUSPECT if age >= SUSPECT_SECONDS else Health.LIVE


def _view(entry: _Entry, health: Health) -> NodeView:
    beat = entry.beat
    return NodeView(
        region=beat.region,
        node=beat.node,
        url=beat.url,
        capacity=beat.capacity,
        active=beat.active,
        in_flight=entry.in_flight,
        draining=beat.draining,
        policy=beat.policy,
        version=beat.version,
        health=health,
        heard_at=entry.at,
        sip=beat.sip,
        tenants=beat.tenants,
        serial=beat.serial,
        policy_since=entry.policy_since,
    )
