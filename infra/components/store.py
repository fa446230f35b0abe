"""Valkey: where the sealed sessions of a region are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.place import Place


@dataclass(frozen=True)
class StoreArgs:
    """``clients``: security groups that may connect, and nobody else."""

    place: Place
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    key_arn: pulumi.Input[str]
    tenants: tuple[str, ...]
    clients: Sequence[pulumi.Input[str]]
    node_type: str
    replicas: int


class Store(pulumi.ComponentResource):
    """A replication group in several zones of the region, a user per tenant."""

    def __init__(
        self, name: str, args: StoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Store", name, None, opts)
        self.group: aws.elasticache.ReplicationGroup
        self.host: pulumi.Output[str]
        self.port: int
        self.cache: pulumi.Output[str]
        self.users: dict[str, pulumi.Output[str]]
        """Tenant to user name."""
        raise NotImplementedError
