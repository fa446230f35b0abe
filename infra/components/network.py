"""A VPC: nodes in public subnets, data in subnets that no route leads out of."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra.components.place import Place
from infra.components.role import Role, RoleArgs
from infra.components.tags import holds
from infra.documents import names
from infra.documents.network import INTERFACES, flow_log_writer, interface_policy, s3_policy
from infra.documents.statements import text
from infra.documents.trust import for_flow_logs

PUBLIC_PREFIX = 20
"""4,091 nodes to a zone."""
DATA_PREFIX = 24


@dataclass(frozen=True, slots=True)
class Layout:
    """The subnets of a network, zone by zone."""

    public: tuple[str, ...]
    data: tuple[str, ...]


def layout(cidr: str, zones: int) -> Layout:
    """Public subnets from the bottom of ``cidr``, data subnets from its last /20.

    Raises ``ValueError`` when there is no room: three zones take a /18.
    """
    blocks = list(IPv4Network(cidr).subnets(new_prefix=PUBLIC_PREFIX))
    if zones >= len(blocks):
        raise ValueError(f"vpcCidr: {cidr} has no room for {zones} zones; write a /18 or wider")
    data = list(blocks[-1].subnets(new_prefix=DATA_PREFIX))
    return Layout(
        public=tuple(str(block) for block in blocks[:zones]),
        data=tuple(str(block) for block in data[:zones]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """``cidr`` is /18 or wider; ``zone_ids`` are two or three of the region (``euc1-az1``)."""

    place: Place
    cidr: str
    zone_ids: tuple[str, ...]
    key_arn: pulumi.Input[str]
    boundary: pulumi.Input[str]
    logs_days: int
    endpoints: bool = True
    """Interface endpoints, so that what nodes ask of AWS does not leave the VPC. They cost by the
    hour; without them it goes by TLS over the internet gateway."""
    objects: bool = False
    """One for S3 too: its own addresses change by the second, and a barrier has to name them."""


class Network(pulumi.ComponentResource):
    """Subnets, endpoints and flow log.

    Nodes have public addresses and no NAT before them, as media needs it. What the stack keeps
    stands in the data subnets, which reach the VPC and nothing else.
    """

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Network", name, None, opts)
        self._name = name
        self._args = args
        self._own = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._named(),
            opts=self._own,
        )
        self.vpc_id: pulumi.Output[str] = self.vpc.id
        aws.ec2.DefaultSecurityGroup(
            name, vpc_id=self.vpc_id, ingress=[], egress=[], opts=self._own
        )
        found = layout(args.cidr, len(args.zone_ids))
        self.public = self._subnets("public", found.public)
        self.data = self._subnets("data", found.data)
        self.public_ids: list[pulumi.Output[str]] = [subnet.id for subnet in self.public]
        self.data_ids: list[pulumi.Output[str]] = [subnet.id for subnet in self.data]
        self._s3_endpoint(self._route())
        if args.endpoints:
            self._interfaces()
        self._flow_log()
        self.register_outputs({"vpcId": self.vpc_id})

    def _named(self, *words: str) -> dict[str, str]:
        return {"Name": names.prefixed(self._args.place, *words)}

    def _subnets(self, kind: str, cidrs: tuple[str, ...]) -> tuple[aws.ec2.Subnet, ...]:
        return tuple(
            aws.ec2.Subnet(
                f"{self._name}-{kind}-{zone}",
                vpc_id=self.vpc_id,
                cidr_block=cidr,
                availability_zone_id=zone,
                map_public_ip_on_launch=False,
                tags=self._named(kind, zone),
                opts=self._own,
            )
            for zone, cidr in zip(self._args.zone_ids, cidrs, strict=True)
        )

    def _route(self) -> aws.ec2.RouteTable:
        """Public subnets to the internet; data subnets nowhere. Returns the public table."""
        gateway = aws.ec2.InternetGateway(
            self._name, vpc_id=self.vpc_id, tags=self._named(), opts=self._own
        )
        public = aws.ec2.RouteTable(
            f"{self._name}-public",
            vpc_id=self.vpc_id,
            routes=[aws.ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)],
            tags=self._named("public"),
            opts=self._own,
        )
        data = aws.ec2.RouteTable(
            f"{self._name}-data",
            vpc_id=self.vpc_id,
            routes=[],
            tags=self._named("data"),
            opts=self._own,
        )
        for kind, table, subnets in (("public", public, self.public), ("data", data, self.data)):
            for zone, subnet in zip(self._args.zone_ids, subnets, strict=True):
                aws.ec2.RouteTableAssociation(
                    f"{self._name}-{kind}-{zone}",
                    subnet_id=subnet.id,
                    route_table_id=table.id,
                    opts=self._own,
                )
        return public

    def _s3_endpoint(self, table: aws.ec2.RouteTable) -> None:
        """The way of nodes to the buckets; gateway endpoints cost nothing."""
        place = self._args.place
        aws.ec2.VpcEndpoint(
            f"{self._name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{place.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id],
            policy=text(s3_policy(place)),
            tags=self._named("s3"),
            opts=self._own,
        )

    def _interfaces(self) -> None:
        place = self._args.place
        group = aws.ec2.SecurityGroup(
            f"{self._name}-endpoints",
            name=names.prefixed(place, "endpoints"),
            description="Inland: interface endpoints",
            vpc_id=self.vpc_id,
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    description="HTTPS from the VPC",
                    protocol="tcp",
                    from_port=443,
                    to_port=443,
                    cidr_blocks=[self._args.cidr],
                )
            ],
            egress=[],
            tags=self._named("endpoints"),
            opts=self._own,
        )
        for service in INTERFACES:
            self._interface(service, service, group, text(interface_policy(place, service)))
        if self._args.objects:
            # Without this S3's name would lead there for resolvers outside of the VPC alone.
            inside = aws.ec2.VpcEndpointDnsOptionsArgs(
                private_dns_only_for_inbound_resolver_endpoint=False
            )
            self._interface("s3", "objects", group, text(s3_policy(place)), inside)

    def _interface(
        self,
        service: str,
        name: str,
        group: aws.ec2.SecurityGroup,
        policy: str,
        dns: aws.ec2.VpcEndpointDnsOptionsArgs | None = None,
    ) -> None:
        aws.ec2.VpcEndpoint(
            f"{self._name}-{name}",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{self._args.place.region}.{service}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            dns_options=dns,
            subnet_ids=self.data_ids,
            security_group_ids=[group.id],
            policy=policy,
            tags=self._named(name),
            opts=self._own,
        )

    def _flow_log(self) -> None:
        place = self._args.place
        log_group = names.log_group(place, "flow")
        group = aws.cloudwatch.LogGroup(
            f"{self._name}-flow",
            name=log_group,
            kms_key_id=self._args.key_arn,
            retention_in_days=self._args.logs_days,
            tags=holds("logs"),
            opts=self._own,
        )
        role = Role(
            f"{self._name}-flow",
            RoleArgs(
                place=place,
                name="flow",
                trust=for_flow_logs(place),
                statements=flow_log_writer(place, log_group),
                boundary=self._args.boundary,
                for_instances=False,
            ),
            opts=self._own,
        )
        aws.ec2.FlowLog(
            self._name,
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=self._named("flow"),
            opts=self._own,
        )
