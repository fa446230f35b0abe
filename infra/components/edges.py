"""The fleets that take calls: the shared one, and one for each tenant that has its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.cloud_init.document import (
    Bundle,
    EdgeRole,
    NodeDocument,
    RecordingsPlace,
    SessionKeys,
    StoreAddress,
)
from infra.components.firewall import WORLD, Firewall, FirewallArgs, Opening, node_outward
from infra.components.fleet import ByCalls, Fleet, FleetArgs
from infra.components.ingress import SIP_PORT, SIPS_PORT
from infra.components.machine import Tenancy
from infra.components.place import Place
from infra.documents import names
from infra.documents.nodes import EdgeRights, edge_node
from infra.settings.region import Edge, RegionStack, Sip

HTTPS_PORT = 443
HEALTH_PORT: int = NodeDocument.model_fields["health_port"].default


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """One fleet. ``of`` follows ``inland-<slug>-`` in its names."""

    of: str
    edge: Edge
    tenants: tuple[str, ...]
    alone: bool
    """Whether it serves these tenants only, on hardware that no other customer uses."""
    answers: bool
    """Whether telephone calls come to it; it sends on what another fleet serves."""

    @property
    def tenancy(self) -> Tenancy:
        """Of its machines."""
        return "dedicated" if self.alone else "default"


def edge_plans(stack: RegionStack) -> tuple[EdgePlan, ...]:
    """The fleets of a stack, the shared one first.

    A tenant with an account of its own is kept apart at least as far as one with a fleet of its
    own. Where every tenant has a fleet there is no shared one, and all of them answer.
    """
    own = [tenant for tenant in stack.tenants if tenant.isolation == "dedicated-fleet"]
    others = [tenant for tenant in stack.tenants if tenant.isolation != "dedicated-fleet"]
    plans = [
        EdgePlan(f"edge-{tenant.id}", tenant.edge, (tenant.id,), alone=True, answers=not others)
        for tenant in own
        if tenant.edge is not None
    ]
    if others:
        alone = all(tenant.isolation == "dedicated-account" for tenant in others)
        ids = tuple(tenant.id for tenant in others)
        plans.insert(0, EdgePlan("edge", stack.edge, ids, alone=alone, answers=True))
    return tuple(plans)


def edge_inward(edge: Edge, sip: Sip | None, vpc_cidr: str) -> tuple[Opening, ...]:
    """What reaches a node that takes calls."""
    first, last = edge.media_ports
    openings = [
        Opening(
            why="Signalling, HTTPS",
            protocol="tcp",
            first=HTTPS_PORT,
            last=HTTPS_PORT,
            cidrs=WORLD,
        ),
        Opening(why="Media, encrypted", protocol="udp", first=first, last=last, cidrs=WORLD),
        Opening(
            why="Health",
            protocol="tcp",
            first=HEALTH_PORT,
            last=HEALTH_PORT,
            cidrs=(vpc_cidr,),
        ),
    ]
    if sip is not None:
        openings += [
            Opening(
                why="SIP over TLS", protocol="tcp", first=SIPS_PORT, last=SIPS_PORT, cidrs=WORLD
            ),
            Opening(
                why="SIP of carriers",
                protocol="tcp",
                first=SIP_PORT,
                last=SIP_PORT,
                cidrs=sip.carriers,
            ),
            Opening(
                why="SIP of carriers",
                protocol="udp",
                first=SIP_PORT,
                last=SIP_PORT,
                cidrs=sip.carriers,
            ),
        ]
    return tuple(openings)


def edge_outward(sip: Sip | None, vpc_cidr: str) -> tuple[Opening, ...]:
    """What a node that takes calls sends: what every node does, media, and calls to carriers."""
    media = Opening(why="Media", protocol="udp", first=1024, last=65_535, cidrs=WORLD)
    calls = Opening(why="SIP", protocol="tcp", first=SIP_PORT, last=SIPS_PORT, cidrs=WORLD)
    return (*node_outward(vpc_cidr), media, *(() if sip is None else (calls,)))


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeFirewallArgs:
    """See ``EdgePlan``."""

    place: Place
    plan: EdgePlan
    sip: Sip | None
    vpc_id: pulumi.Input[str]
    vpc_cidr: str


def edge_firewall(args: EdgeFirewallArgs, opts: ResourceOptions) -> Firewall:
    """A fleet's security group, before the fleet: the store lets in nobody else."""
    return Firewall(
        args.plan.of,
        FirewallArgs(
            place=args.place,
            of=args.plan.of,
            vpc_id=args.vpc_id,
            inward=edge_inward(args.plan.edge, args.sip, args.vpc_cidr),
            outward=edge_outward(args.sip, args.vpc_cidr),
        ),
        opts,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeSecrets:
    """Names of secrets."""

    node_secret: str
    region_key: str
    phone: str | None
    turn: str | None

    @property
    def all(self) -> tuple[str, ...]:
        """Those that there are."""
        named = (self.node_secret, self.region_key, self.phone, self.turn)
        return tuple(name for name in named if name is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeFleetArgs:
    """What every fleet of a stack shares, besides its plan."""

    place: Place
    plan: EdgePlan
    domain: str
    zone_id: str
    control_planes: tuple[str, ...]
    policy_keys: tuple[str, ...]
    bundle: Bundle
    store_host: pulumi.Input[str]
    store_port: int
    store_cache: pulumi.Input[str]
    data_networks: tuple[str, ...]
    store_users: Mapping[str, pulumi.Input[str]]
    """Of every tenant; the fleet is told of its own."""
    certificate_arn: pulumi.Input[str]
    recordings_key: pulumi.Input[str]
    recordings_days: int
    secrets: EdgeSecrets
    boundary: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    firewall: Firewall
    targets: Sequence[pulumi.Input[str]]


def edge_fleet(args: EdgeFleetArgs, opts: ResourceOptions) -> Fleet:
    """A fleet that takes calls."""
    plan = args.plan
    rights = EdgeRights(
        of=plan.of,
        tenants=plan.tenants,
        secrets=args.secrets.all,
        group=names.prefixed(args.place, plan.of),
        domain=args.domain,
        zone_id=args.zone_id,
    )
    return Fleet(
        plan.of,
        FleetArgs(
            place=args.place,
            of=plan.of,
            domain=args.domain,
            zone_id=args.zone_id,
            bundle=args.bundle,
            instance_type=plan.edge.instance_type,
            image_id=plan.edge.image_id,
            nodes=plan.edge.nodes,
            tenancy=plan.tenancy,
            role=_role(args),
            statements=edge_node(args.place, rights),
            boundary=args.boundary,
            key_arn=args.key_arn,
            subnet_ids=args.subnet_ids,
            security_group=args.firewall.group_id,
            targets=args.targets if plan.answers else (),
            scaling=ByCalls(plan.edge.calls_per_node),
        ),
        opts,
    )


def _role(args: EdgeFleetArgs) -> pulumi.Output[EdgeRole]:
    plan, secrets = args.plan, args.secrets

    def told(
        host: str, cache: str, certificate: str, recordings_key: str, users: dict[str, str]
    ) -> EdgeRole:
        return EdgeRole(
            control_planes=args.control_planes,
            store=StoreAddress(host=host, port=args.store_port, cache=cache, users=users),
            data_networks=args.data_networks,
            session_keys=SessionKeys(
                account=args.place.account_id, prefix=names.tenant_aliases(args.place)
            ),
            recordings=RecordingsPlace(
                bucket=names.recordings_bucket(args.place),
                prefix=plan.of,
                account=args.place.account_id,
                key=recordings_key,
                days=args.recordings_days,
            ),
            policy_keys=args.policy_keys,
            tenants=plan.tenants if plan.alone else None,
            calls=plan.edge.calls_per_node,
            media_ports=plan.edge.media_ports,
            node_secret=secrets.node_secret,
            region_key=secrets.region_key,
            phone_secret=secrets.phone,
            certificate=certificate,
            turn_secret=secrets.turn,
        )

    users = {tenant: args.store_users[tenant] for tenant in plan.tenants}
    return pulumi.Output.all(
        args.store_host,
        args.store_cache,
        args.certificate_arn,
        args.recordings_key,
        pulumi.Output.from_input(users),
    ).apply(lambda found: told(*found))
