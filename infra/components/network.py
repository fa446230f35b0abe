"""A VPC: nodes in public subnets, data in subnets that no route leads out of."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.place import Place


@dataclass(frozen=True)
class NetworkArgs:
    """``cidr`` is /18 or wider; ``zone_ids`` are two or three of the region (``euc1-az1``)."""

    place: Place
    cidr: str
    zone_ids: tuple[str, ...]
    key_arn: pulumi.Input[str]
    boundary: pulumi.Input[str]
    logs_days: int


class Network(pulumi.ComponentResource):
    """Subnets, endpoints and flow log."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Network", name, None, opts)
        self.vpc: aws.ec2.Vpc
        self.vpc_id: pulumi.Output[str]
        self.public: tuple[aws.ec2.Subnet, ...]
        self.data: tuple[aws.ec2.Subnet, ...]
        self.public_ids: list[pulumi.Output[str]]
        self.data_ids: list[pulumi.Output[str]]
        self.s3_endpoint: aws.ec2.VpcEndpoint
        self.s3_endpoint_id: pulumi.Output[str]
        raise NotImplementedError
