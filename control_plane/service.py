"""The decision a caller gets, whole: location, law, node, token. No HTTP in here."""

from __future__ import annotations

import random
import secrets

from control_plane.clock import Clock
from control_plane.contract import (
    TOKEN_SECONDS,
    NodeRouteRequest,
    NodeStatus,
    RegionStatus,
    RegionVerdict,
    RouteClaims,
    RouteRequest,
    RouteResponse,
    State,
)
from control_plane.directory import Directory, Health, NodeView
from control_plane.errors import (
    LocationUnknown,
    NoRegionAllowed,
    NoRegionAvailable,
    UnknownAgent,
)
from control_plane.law import LawInForce
from control_plane.location import Location, locate, locate_phone
from control_plane.metrics import Metrics
from control_plane.placement import Placement, distances_from, not_for, place
from control_plane.policy_file import SignedLaw
from control_plane.ruling import Ruling, Rulings
from control_plane.tenants import Agent, Tenant
from control_plane.tokens import TokenSigner, new_session_id
from regions.law import Law
from regions.policy import day_of

RETRY_SECONDS = 5
"""When to ask again after no node could take the call: a node is back within a beat or two."""


class ControlPlane:
    """One replica. What changes of its state is the directory, and the law with its bundle."""

    def __init__(
        self,
        *,
        law: Law,
        signer: TokenSigner,
        directory: Directory,
        clock: Clock,
        rng: random.Random,
        version: str,
        bundle: SignedLaw | None = None,
    ) -> None:
        """``bundle`` is the one that ``law`` came in, where it came in one."""
        self.law = LawInForce(law, clock)
        self.bundle = bundle
        self.signer = signer
        self.directory = directory
        self.metrics = Metrics(directory)
        self.draining = False
        self._clock = clock
        self._rng = rng
        self._rulings = Rulings(law)
        self._version = version
        self.metrics.serial.set(law.serial)

    @property
    def ready(self) -> bool:
        """Whether this replica knows enough to place callers, and means to go on."""
        return self.directory.warm and not self.draining

    def take(self, bundle: SignedLaw) -> None:
        """Rule by ``bundle`` from here on, and publish it."""
        self.law.replace(bundle.law)
        self.bundle = bundle
        self._rulings = Rulings(bundle.law)
        self.metrics.serial.set(bundle.law.serial)

    def route(self, tenant: Tenant, wanted: RouteRequest, header: str | None) -> RouteResponse:
        """Place one caller. ``header`` is the country a trusted network put on the request.

        Raises ``UnknownAgent``, ``LocationUnknown``, ``NoRegionAllowed``, ``NoRegionAvailable``.
        """
        location = locate(
            self.law.now.catalogue,
            _agent(tenant, wanted.agent),
            requested=wanted.country,
            header=header,
            default=tenant.default_country,
        )
        if location is None:
            raise LocationUnknown(
                "send `country` (ISO 3166-1, such as DE), or give the tenant a default_country"
            )
        ruling = self._rule(tenant, location)
        # Measured with the machine's own clock: a figure about this process, not logic.
        with self.metrics.placement.time():
            placement = self._place(tenant, ruling, location)
        if not placement.candidates:
            raise _none_available(ruling, placement)
        first = placement.candidates[0]
        self.directory.placed(first.region, first.node)
        return self._answer(tenant, wanted, location, ruling, placement)

    def route_phone(
        self, tenant: Tenant, wanted: NodeRouteRequest, *, region: str, node: str
    ) -> RouteResponse:
        """Say where the phone call may be that came to ``node`` of ``region``.

        The node itself keeps the call if it may, can and serves the tenant, so its own region needs
        no candidate: that it asks shows that it lives. Raises ``UnknownAgent``,
        ``LocationUnknown``, ``NoRegionAllowed``, ``NoRegionAvailable``.
        """
        location = locate_phone(
            self.law.now.catalogue,
            _agent(tenant, wanted.agent),
            dialled=wanted.dialled_country,
            caller=wanted.caller_country,
            default=tenant.default_country,
        )
        if location is None:
            raise LocationUnknown(
                "give the number a country in the node's settings, or the tenant a default_country"
            )
        ruling = self._rule(tenant, location)
        with self.metrics.placement.time():
            placement = self._place(tenant, ruling, location)
        if region in ruling.allowed and self._serves(tenant, region, node):
            self.directory.placed(region, node)
        elif placement.candidates:
            first = placement.candidates[0]
            self.directory.placed(first.region, first.node)
        else:
            raise _none_available(ruling, placement)
        return self._answer(tenant, wanted, location, ruling, placement)

    def state(self, *, operator: bool) -> State:
        """What this replica knows of nodes and regions. Only an ``operator`` learns which tenants
        have nodes of their own: to another tenant they are a list of customers."""
        now = self._clock.monotonic()
        views = {region: self.directory.nodes(region) for region in self.directory.regions()}
        law = self.law.now
        return State(
            policy=law.policy,
            serial=law.serial or None,
            version=self._version,
            ready=self.ready,
            regions=tuple(
                _region_status(region.id, region.jurisdiction, views.get(region.id, ()))
                for region in law.catalogue.regions
            ),
            nodes=tuple(
                _node_status(view, now, operator=operator)
                for region in views
                for view in views[region]
            ),
        )

    def _serves(self, tenant: Tenant, region: str, node: str) -> bool:
        """Whether that node may take calls of ``tenant``; one that has not beaten names none."""
        known = {view.node: view.tenants for view in self.directory.nodes(region)}
        return not_for(tenant, known.get(node)) is None

    def _rule(self, tenant: Tenant, location: Location) -> Ruling:
        ruling = self._rulings.of(tenant, location.jurisdictions, on=day_of(self._clock.wall()))
        if not ruling.allowed or not ruling.jurisdictions:
            raise NoRegionAllowed(_why_none(location), regions=_verdicts(ruling))
        return ruling

    def _place(self, tenant: Tenant, ruling: Ruling, location: Location) -> Placement:
        nodes = {region: self.directory.nodes(region) for region in ruling.allowed}
        catalogue, rollout = self.law.now.catalogue, self.law.rollout()
        return place(catalogue, ruling, nodes, location.near, self._rng, tenant, rollout)

    def _answer(
        self,
        tenant: Tenant,
        wanted: RouteRequest | NodeRouteRequest,
        location: Location,
        ruling: Ruling,
        placement: Placement,
    ) -> RouteResponse:
        now = int(self._clock.wall())
        session_id = new_session_id()
        claims = RouteClaims(
            iss="inland",
            aud="inland-edge",
            sub=session_id,
            jti=secrets.token_hex(16),
            iat=now,
            nbf=now,
            exp=now + TOKEN_SECONDS,
            ten=tenant.id,
            jur=ruling.jurisdictions,
            pol=self.law.now.policy,
            ser=self.law.now.serial or None,
            reg=self._regions_by_class(ruling, location, placement),
            agent=wanted.agent,
            med=wanted.media,
            ded=True if tenant.isolation == "dedicated" else None,
        )
        return RouteResponse(
            session_id=session_id,
            token=self.signer.sign(claims),
            expires_at=claims.exp,
            policy=claims.pol,
            jurisdictions=claims.jur,
            candidates=placement.candidates,
            regions=placement.regions,
        )

    def _regions_by_class(
        self, ruling: Ruling, location: Location, placement: Placement
    ) -> dict[str, tuple[str, ...]]:
        """Each class's regions: those with candidates in their order, then the rest by distance."""
        preferred = list(dict.fromkeys(c.region for c in placement.candidates))
        distances = distances_from(self.law.now.catalogue, location.near)
        rank = {region: (0, float(at)) for at, region in enumerate(preferred)}
        return {
            data_class.value: tuple(
                sorted(regions, key=lambda region: rank.get(region, (1, distances[region])))
            )
            for data_class, regions in ruling.classes.items()
        }


def _agent(tenant: Tenant, name: str) -> Agent:
    agent = tenant.agents.get(name)
    if agent is None:
        raise UnknownAgent(f"tenant {tenant.id} has no agent {name!r}")
    return agent


def _none_available(ruling: Ruling, placement: Placement) -> NoRegionAvailable:
    return NoRegionAvailable(
        f"{', '.join(ruling.allowed)} may serve this caller and cannot right now; "
        "no other region may take the call",
        regions=placement.regions,
        retry_after=RETRY_SECONDS,
    )


def _why_none(location: Location) -> str:
    if not location.jurisdictions:
        return (
            f"no law of the catalogue covers callers in {location.country}, so nothing is allowed"
        )
    return "the law and the tenant's contract leave no region; see `regions` for each one's reason"


def _verdicts(ruling: Ruling) -> tuple[RegionVerdict, ...]:
    return tuple(
        RegionVerdict(region=v.region, allowed=v.allowed, reason=v.reason) for v in ruling.verdicts
    )


def _node_status(view: NodeView, now: float, *, operator: bool) -> NodeStatus:
    return NodeStatus(
        region=view.region,
        node=view.node,
        url=view.url,
        health=view.health.value,
        draining=view.draining,
        capacity=view.capacity,
        active=view.active,
        in_flight=view.in_flight,
        policy=view.policy,
        serial=view.serial,
        version=view.version,
        age=round(now - view.heard_at, 3),
        sip=view.sip,
        tenants=view.tenants if operator else None,
    )


def _region_status(region: str, jurisdiction: str, views: tuple[NodeView, ...]) -> RegionStatus:
    live = [view for view in views if view.health is Health.LIVE]
    return RegionStatus(
        region=region,
        jurisdiction=jurisdiction,
        live=len(live),
        capacity=sum(view.capacity for view in live),
        active=sum(view.active for view in live),
    )
