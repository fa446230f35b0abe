"""Where telephone calls and relayed media come in: one network load balancer per stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.components.firewall import WORLD, Firewall, FirewallArgs, Opening
from infra.components.place import Place

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3 with forward secrecy (Elastic Load Balancing, "Security policies for your
Network Load Balancer", 2026-11-21)."""
SIP_PORT = 5060
SIPS_PORT = 5061
SIP_SECONDS = 120
"""How long a node that leaves still gets the packets of flows that it has. Enough for a call to be
answered; what follows goes to the node's own address, which is in its Contact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """How the balancer finds out that a node works: an HTTP path, or that a TCP port opens."""

    port: int
    path: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """A port of the balancer, and where it leads. ``TLS`` ends at the balancer."""

    name: str
    protocol: Literal["TCP", "UDP", "TCP_UDP", "TLS"]
    port: int
    target_port: int
    sources: tuple[str, ...]
    check: Check
    leaving_seconds: int
    """How long a node that leaves keeps the flows that it has; then they are cut."""
    keeps_address: bool = True
    """Whether nodes see the caller's address, and their own firewall applies to it."""
    sticky: bool = False
    """Whether all that comes from one address goes to one node."""

    @property
    def transports(self) -> tuple[Literal["tcp", "udp"], ...]:
        """What packets come through it."""
        if self.protocol == "TCP_UDP":
            return ("tcp", "udp")
        return ("udp",) if self.protocol == "UDP" else ("tcp",)


def sip_doors(carriers: tuple[str, ...], health_port: int) -> tuple[Door, ...]:
    """SIP over UDP and TCP for the carriers' networks, SIP over TLS for everybody."""
    check = Check(port=health_port, path="/readyz")
    return (
        Door(
            name="sip",
            protocol="TCP_UDP",
            port=SIP_PORT,
            target_port=SIP_PORT,
            sources=carriers,
            check=check,
            leaving_seconds=SIP_SECONDS,
            # The balancer forgets a quiet flow of UDP after two minutes, and telephones ring for
            # three: the CANCEL has to find the node that has the INVITE.
            sticky=True,
        ),
        # Passed through: the node has the certificate itself, as calls go on at its own address.
        Door(
            name="sips",
            protocol="TCP",
            port=SIPS_PORT,
            target_port=SIPS_PORT,
            sources=WORLD,
            check=check,
            leaving_seconds=SIP_SECONDS,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class IngressArgs:
    """``hosts`` are names below ``domain`` that lead here; ``vpc_cidr`` is where nodes are."""

    place: Place
    vpc_id: pulumi.Input[str]
    vpc_cidr: str
    subnet_ids: Sequence[pulumi.Input[str]]
    domain: str
    zone_id: str
    doors: tuple[Door, ...]
    hosts: tuple[str, ...]
    certificate_arn: pulumi.Input[str]
    """What ``TLS`` doors show."""


class Ingress(pulumi.ComponentResource):
    """The balancer, its doors and the names that lead to it.

    ``targets`` has a target group per door. The balancer is protected: carriers write its
    addresses into their allow-lists, and another one would have others.
    """

    def __init__(self, name: str, args: IngressArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:Ingress", name, None, opts)
        child = ResourceOptions(parent=self)
        firewall = Firewall(
            name,
            FirewallArgs(
                place=args.place,
                of="ingress",
                vpc_id=args.vpc_id,
                inward=_inward(args.doors),
                outward=_outward(args.doors, args.vpc_cidr),
            ),
            child,
        )
        self.firewall_id = firewall.group_id
        self.balancer = aws.lb.LoadBalancer(
            name,
            name=_short("ingress"),
            load_balancer_type="network",
            internal=False,
            subnets=list(args.subnet_ids),
            security_groups=[firewall.group_id],
            # A zone whose only node is being replaced still answers at its address.
            enable_cross_zone_load_balancing=True,
            opts=ResourceOptions(parent=self, protect=True),
        )
        self.targets: dict[str, aws.lb.TargetGroup] = {}
        for door in args.doors:
            self.targets[door.name] = self._open(name, door, args, child)
        for host in args.hosts:
            aws.route53.Record(
                f"{name}-{host}",
                zone_id=args.zone_id,
                name=f"{host}.{args.domain}",
                type="A",
                aliases=[
                    aws.route53.RecordAliasArgs(
                        name=self.balancer.dns_name,
                        zone_id=self.balancer.zone_id,
                        evaluate_target_health=True,
                    )
                ],
                opts=child,
            )
        self.register_outputs({})

    def _open(
        self, name: str, door: Door, args: IngressArgs, child: ResourceOptions
    ) -> aws.lb.TargetGroup:
        group = aws.lb.TargetGroup(
            f"{name}-{door.name}",
            name=_short(door.name),
            vpc_id=args.vpc_id,
            target_type="instance",
            protocol="TCP" if door.protocol == "TLS" else door.protocol,
            port=door.target_port,
            preserve_client_ip="true" if door.keeps_address else "false",
            stickiness=aws.lb.TargetGroupStickinessArgs(type="source_ip", enabled=door.sticky),
            deregistration_delay=door.leaving_seconds,
            connection_termination=True,
            health_check=_health(door.check),
            opts=child,
        )
        tls = door.protocol == "TLS"
        aws.lb.Listener(
            f"{name}-{door.name}",
            load_balancer_arn=self.balancer.arn,
            protocol=door.protocol,
            port=door.port,
            certificate_arn=args.certificate_arn if tls else None,
            ssl_policy=TLS_POLICY if tls else None,
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group.arn)
            ],
            opts=child,
        )
        return group


def sip_records(
    name: str, domain: str, zone_id: str, opts: ResourceOptions
) -> list[aws.route53.Record]:
    """Where RFC 3263 looks for ``sip:`` and ``sips:`` addresses of ``domain``."""
    services = {"_sip._udp": SIP_PORT, "_sip._tcp": SIP_PORT, "_sips._tcp": SIPS_PORT}
    return [
        aws.route53.Record(
            f"{name}-{service.replace('_', '').replace('.', '-')}",
            zone_id=zone_id,
            name=f"{service}.{domain}",
            type="SRV",
            ttl=300,
            records=[f"10 10 {port} sip.{domain}."],
            opts=opts,
        )
        for service, port in services.items()
    ]


def _short(of: str) -> str:
    """Names of balancers and their groups have 32 characters at most, and are a region's own.

    A region of an account has one stack, so the region need not be in the name.
    """
    return f"inland-{of}"


def _health(check: Check) -> aws.lb.TargetGroupHealthCheckArgs:
    http = check.path is not None
    return aws.lb.TargetGroupHealthCheckArgs(
        enabled=True,
        protocol="HTTP" if http else "TCP",
        port=str(check.port),
        path=check.path,
        matcher="200" if http else None,
        interval=10,
        timeout=5,
        healthy_threshold=2,
        unhealthy_threshold=2,
    )


def _inward(doors: Sequence[Door]) -> list[Opening]:
    return [
        Opening(
            why=door.name, protocol=transport, first=door.port, last=door.port, cidrs=door.sources
        )
        for door in doors
        for transport in door.transports
    ]


def _outward(doors: Sequence[Door], vpc_cidr: str) -> list[Opening]:
    """To the nodes: what the doors lead to, and the questions whether they work."""
    ports: dict[tuple[Literal["tcp", "udp"], int], None] = {}
    for door in doors:
        ports |= {(transport, door.target_port): None for transport in door.transports}
        ports[("tcp", door.check.port)] = None
    return [
        Opening(why="Nodes", protocol=transport, first=port, last=port, cidrs=(vpc_cidr,))
        for transport, port in ports
    ]
