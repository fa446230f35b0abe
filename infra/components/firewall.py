"""Which packets reach a machine: a security group from a list of openings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.components.place import Place
from infra.documents import names

WORLD = ("0.0.0.0/0",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """Ports ``first`` to ``last``, for the networks ``cidrs`` and the members of ``groups``."""

    why: str
    """Shown beside the rule in AWS."""
    protocol: Literal["tcp", "udp"]
    first: int
    last: int
    cidrs: tuple[str, ...] = ()
    groups: Sequence[pulumi.Input[str]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FirewallArgs:
    """``inward`` is what may come, ``outward`` what may leave; answers always may."""

    place: Place
    of: str
    """Whom it surrounds, in its name: ``edge``, ``turn``, ``ingress``."""
    vpc_id: pulumi.Input[str]
    inward: Sequence[Opening]
    outward: Sequence[Opening]


class Firewall(pulumi.ComponentResource):
    """A security group. It stands apart from its machines, since the store names it before them."""

    def __init__(self, name: str, args: FirewallArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:Firewall", name, None, opts)
        group_name = names.prefixed(args.place, args.of)
        group = aws.ec2.SecurityGroup(
            name,
            name=group_name,
            description=f"Inland: {args.of}",
            vpc_id=args.vpc_id,
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    description=opening.why,
                    protocol=opening.protocol,
                    from_port=opening.first,
                    to_port=opening.last,
                    cidr_blocks=list(opening.cidrs) or None,
                    security_groups=list(opening.groups) or None,
                )
                for opening in args.inward
            ],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(
                    description=opening.why,
                    protocol=opening.protocol,
                    from_port=opening.first,
                    to_port=opening.last,
                    cidr_blocks=list(opening.cidrs) or None,
                    security_groups=list(opening.groups) or None,
                )
                for opening in args.outward
            ],
            tags={"Name": group_name},
            opts=ResourceOptions(parent=self),
        )
        self.group_id: pulumi.Output[str] = group.id
        self.register_outputs({})


def node_outward(vpc_cidr: str) -> tuple[Opening, ...]:
    """What every node sends: questions to AWS and others over HTTPS, packages, its own network.

    Debian's archive is plain HTTP with signed lists.
    """
    return (
        Opening(why="HTTPS", protocol="tcp", first=443, last=443, cidrs=WORLD),
        Opening(why="Debian archive", protocol="tcp", first=80, last=80, cidrs=WORLD),
        Opening(why="Own network", protocol="tcp", first=1, last=65_535, cidrs=(vpc_cidr,)),
        Opening(why="Own network", protocol="udp", first=1, last=65_535, cidrs=(vpc_cidr,)),
    )
