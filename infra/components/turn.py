"""Relays for callers whose network lets no media through (TURN, RFC 8656): coturn in a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.cloud_init.document import Bundle, TurnRole
from infra.components.firewall import WORLD, Firewall, FirewallArgs, Opening, node_outward
from infra.components.fleet import DRAIN_SECONDS, ByLoad, Fleet, FleetArgs
from infra.components.ingress import Check, Door
from infra.components.place import Place
from infra.documents import names
from infra.documents.nodes import turn_node
from infra.settings.region import Turn as TurnSettings

TURN_PORT = 3478
TURNS_PORT = 5349
RELAY_PORTS = (49_152, 65_535)
LOAD_PERCENT = 50


def turn_doors() -> tuple[Door, ...]:
    """UDP for most, TLS for those whose network lets nothing but TLS out.

    The balancer keeps the flows of a relay that leaves for as long as the relay waits for them.
    """
    check = Check(port=TURN_PORT)
    return (
        Door(
            name="turn",
            protocol="UDP",
            port=TURN_PORT,
            target_port=TURN_PORT,
            sources=WORLD,
            check=check,
            leaving_seconds=DRAIN_SECONDS,
        ),
        # The balancer's own address inside: so the relay's plain TCP port is open to it alone.
        Door(
            name="turns",
            protocol="TLS",
            port=TURNS_PORT,
            target_port=TURN_PORT,
            sources=WORLD,
            check=check,
            leaving_seconds=DRAIN_SECONDS,
            keeps_address=False,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnArgs:
    """``peers``: the networks of the edge, the only ones that a relay sends to."""

    place: Place
    settings: TurnSettings
    domain: str
    zone_id: str
    bundle: Bundle
    secret: str
    """Name of the secret that credentials are made with."""
    vpc_id: pulumi.Input[str]
    vpc_cidr: str
    peers: tuple[str, ...]
    subnet_ids: Sequence[pulumi.Input[str]]
    ingress_firewall: pulumi.Input[str]
    targets: Sequence[pulumi.Input[str]]
    boundary: pulumi.Input[str]
    key_arn: pulumi.Input[str]


class Turn(pulumi.ComponentResource):
    """Relays behind the stack's balancer."""

    def __init__(self, name: str, args: TurnArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:Turn", name, None, opts)
        child = ResourceOptions(parent=self)
        firewall = Firewall(
            name,
            FirewallArgs(
                place=args.place,
                of="turn",
                vpc_id=args.vpc_id,
                inward=turn_inward(args.vpc_cidr, args.ingress_firewall),
                outward=node_outward(args.vpc_cidr),
            ),
            child,
        )
        self.fleet = Fleet(
            name,
            FleetArgs(
                place=args.place,
                of="turn",
                domain=args.domain,
                zone_id=args.zone_id,
                bundle=args.bundle,
                instance_type=args.settings.instance_type,
                nodes=args.settings.nodes,
                role=TurnRole(turn_secret=args.secret, relay_ports=RELAY_PORTS, peers=args.peers),
                statements=turn_node(
                    args.place,
                    secrets=[args.secret],
                    group=names.prefixed(args.place, "turn"),
                ),
                boundary=args.boundary,
                key_arn=args.key_arn,
                subnet_ids=args.subnet_ids,
                security_group=firewall.group_id,
                targets=args.targets,
                scaling=ByLoad(LOAD_PERCENT),
            ),
            child,
        )
        self.register_outputs({})


def turn_inward(vpc_cidr: str, ingress_firewall: pulumi.Input[str]) -> tuple[Opening, ...]:
    """Callers reach one UDP port; relayed media comes from the edge, inside the network."""
    first, last = RELAY_PORTS
    return (
        Opening(why="TURN", protocol="udp", first=TURN_PORT, last=TURN_PORT, cidrs=WORLD),
        Opening(
            why="TURN over TLS, health",
            protocol="tcp",
            first=TURN_PORT,
            last=TURN_PORT,
            groups=(ingress_firewall,),
        ),
        Opening(why="Relayed media", protocol="udp", first=first, last=last, cidrs=(vpc_cidr,)),
    )
