"""Where callers and nodes reach the control plane in one region: an application load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.components.certificate import BalancerCertificate, BalancerCertificateArgs
from infra.components.firewall import WORLD, Firewall, FirewallArgs, Opening
from infra.components.ingress import TLS_POLICY
from infra.components.place import Place
from infra.documents import names

HTTPS = 443
CHECK_SECONDS = 30
"""Between two questions of Route 53 whether the region answers; three misses take it out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontArgs:
    """``domain`` is what callers ask; ``letters`` are the region's replicas."""

    place: Place
    vpc_id: pulumi.Input[str]
    vpc_cidr: str
    subnet_ids: Sequence[pulumi.Input[str]]
    domain: str
    zone_id: str
    letters: tuple[str, ...]
    port: int
    """Of the replicas, plain HTTP inside the VPC."""


class Front(pulumi.ComponentResource):
    """The balancer, a target group per replica, and the names that lead to them.

    ``<domain>`` leads to the nearest region that answers, ``<region>.<domain>`` to any replica of
    this one, ``<letter>.<region>.<domain>`` to one replica: nodes beat to each of them. There are
    no access logs, as they would hold callers' addresses.
    """

    def __init__(self, name: str, args: FrontArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:Front", name, None, opts)
        self._name = name
        self._args = args
        self._child = ResourceOptions(parent=self)
        self._region_domain = f"{args.place.region}.{args.domain}"
        self.firewall = self._firewall()
        self.balancer = aws.lb.LoadBalancer(
            name,
            name=_short(args.place),
            load_balancer_type="application",
            internal=False,
            subnets=list(args.subnet_ids),
            security_groups=[self.firewall.group_id],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            idle_timeout=60,
            opts=ResourceOptions(parent=self, protect=True),
        )
        self.targets = {letter: self._targets(letter) for letter in args.letters}
        self._listen()
        self._publish()
        self.register_outputs({})

    def _firewall(self) -> Firewall:
        args = self._args
        return Firewall(
            f"{self._name}-balancer",
            FirewallArgs(
                place=args.place,
                of="front",
                vpc_id=args.vpc_id,
                inward=[Opening(why="HTTPS", protocol="tcp", first=HTTPS, last=HTTPS, cidrs=WORLD)],
                outward=[
                    Opening(
                        why="Replicas",
                        protocol="tcp",
                        first=args.port,
                        last=args.port,
                        cidrs=(args.vpc_cidr,),
                    )
                ],
            ),
            self._child,
        )

    def _targets(self, letter: str) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-{letter}",
            name=f"{_short(self._args.place)}-{letter}",
            port=self._args.port,
            protocol="HTTP",
            target_type="instance",
            vpc_id=self._args.vpc_id,
            deregistration_delay=30,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                protocol="HTTP",
                port=str(self._args.port),
                path="/readyz",
                matcher="200",
                interval=10,
                timeout=5,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            opts=self._child,
        )

    def _listen(self) -> None:
        args = self._args
        certificate = BalancerCertificate(
            f"{self._name}-certificate",
            BalancerCertificateArgs(
                names=(args.domain, self._region_domain, f"*.{self._region_domain}"),
                zone_id=args.zone_id,
            ),
            self._child,
        )
        listener = aws.lb.Listener(
            self._name,
            load_balancer_arn=self.balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=certificate.valid_arn,
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="forward",
                    forward=aws.lb.ListenerDefaultActionForwardArgs(
                        target_groups=[
                            aws.lb.ListenerDefaultActionForwardTargetGroupArgs(
                                arn=group.arn, weight=1
                            )
                            for group in self.targets.values()
                        ]
                    ),
                )
            ],
            opts=self._child,
        )
        for number, (letter, group) in enumerate(self.targets.items(), start=1):
            aws.lb.ListenerRule(
                f"{self._name}-{letter}",
                listener_arn=listener.arn,
                priority=number,
                conditions=[
                    aws.lb.ListenerRuleConditionArgs(
                        host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(
                            values=[f"{letter}.{self._region_domain}"]
                        )
                    )
                ],
                actions=[aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=group.arn)],
                opts=self._child,
            )

    def _publish(self) -> None:
        for host in (
            self._region_domain,
            *(f"{one}.{self._region_domain}" for one in self.targets),
        ):
            aws.route53.Record(
                f"{self._name}-{host}",
                zone_id=self._args.zone_id,
                name=host,
                type="A",
                aliases=[self._alias()],
                opts=self._child,
            )
        check = aws.route53.HealthCheck(
            self._name,
            type="HTTPS",
            fqdn=self._region_domain,
            port=HTTPS,
            resource_path="/readyz",
            request_interval=CHECK_SECONDS,
            failure_threshold=3,
            enable_sni=True,
            tags={"Name": names.prefixed(self._args.place, "front")},
            opts=self._child,
        )
        aws.route53.Record(
            f"{self._name}-nearest",
            zone_id=self._args.zone_id,
            name=self._args.domain,
            type="A",
            set_identifier=self._args.place.region,
            latency_routing_policies=[
                aws.route53.RecordLatencyRoutingPolicyArgs(region=self._args.place.region)
            ],
            aliases=[self._alias()],
            health_check_id=check.id,
            opts=self._child,
        )

    def _alias(self) -> aws.route53.RecordAliasArgs:
        return aws.route53.RecordAliasArgs(
            name=self.balancer.dns_name,
            zone_id=self.balancer.zone_id,
            evaluate_target_health=True,
        )


def _short(place: Place) -> str:
    """A name for a balancer: at most 32 characters, the same in no two regions."""
    return f"inland-{place.region}"
