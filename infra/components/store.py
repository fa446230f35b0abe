"""Valkey: where the sealed sessions of a region are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.known import known
from infra.components.place import Place
from infra.components.tags import holds
from infra.documents import names
from infra.documents.store import access_string

ENGINE = "valkey"
VERSION = "8.1"
FAMILY = "valkey8"
PORT = 6379
IDLE_SECONDS = 3600
"""A connection that nobody uses is closed after an hour; IAM logins end after twelve."""


@dataclass(frozen=True, kw_only=True, slots=True)
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
    """A replication group in several zones of the region, with a user per tenant.

    Users log in by IAM, so there is no password anywhere. The group has no ``default`` user: one
    of engine Valkey needs none and admits none without a password (Amazon ElastiCache User Guide,
    "Role-Based Access Control (RBAC)", 2026-11-21), so whoever does not log in has no rights.
    Snapshots are off: a session ends with its expiry and not in a backup.
    """

    def __init__(
        self, name: str, args: StoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Store", name, None, opts)
        self._name = name
        self._own = pulumi.ResourceOptions(parent=self)
        cache = names.prefixed(args.place)
        users = {tenant: self._user(tenant) for tenant in args.tenants}
        members = aws.elasticache.UserGroup(
            name,
            engine=ENGINE,
            user_group_id=cache,
            user_ids=[user.user_id for user in users.values()],
            opts=self._own,
        )
        self.group = aws.elasticache.ReplicationGroup(
            name,
            replication_group_id=cache,
            description=f"Inland {args.place.stack}: sealed sessions",
            engine=ENGINE,
            engine_version=VERSION,
            node_type=args.node_type,
            port=PORT,
            num_cache_clusters=1 + args.replicas,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            parameter_group_name=self._parameters(cache, args).name,
            subnet_group_name=self._subnets(cache, args).name,
            security_group_ids=[self._firewall(args).id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            user_group_ids=[members.user_group_id],
            snapshot_retention_limit=0,
            auto_minor_version_upgrade=True,
            apply_immediately=True,
            tags=holds("sessions"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.host: pulumi.Output[str] = self.group.primary_endpoint_address
        self.port = PORT
        self.cache = known(cache, self.group)
        self.users: dict[str, pulumi.Output[str]] = {
            tenant: known(names.store_user(tenant), user, members) for tenant, user in users.items()
        }
        """Tenant to user name."""
        self.register_outputs({"host": self.host})

    def _user(self, tenant: str) -> aws.elasticache.User:
        return aws.elasticache.User(
            f"{self._name}-{tenant}",
            engine=ENGINE,
            user_id=names.store_user(tenant),
            user_name=names.store_user(tenant),
            access_string=access_string(tenant),
            authentication_mode=aws.elasticache.UserAuthenticationModeArgs(type="iam"),
            opts=self._own,
        )

    def _parameters(self, cache: str, args: StoreArgs) -> aws.elasticache.ParameterGroup:
        """A session is never dropped for room: a full store refuses, and says so.

        With two replicas or more a turn is confirmed only while one of them follows; with one,
        its loss would stop every call.
        """
        settings = {
            "maxmemory-policy": "noeviction",
            "min-replicas-to-write": "1" if args.replicas > 1 else "0",
            "timeout": str(IDLE_SECONDS),
        }
        return aws.elasticache.ParameterGroup(
            self._name,
            name=cache,
            family=FAMILY,
            description=f"Inland {args.place.stack}",
            parameters=[
                aws.elasticache.ParameterGroupParameterArgs(name=key, value=value)
                for key, value in settings.items()
            ],
            opts=self._own,
        )

    def _subnets(self, cache: str, args: StoreArgs) -> aws.elasticache.SubnetGroup:
        return aws.elasticache.SubnetGroup(
            self._name,
            name=cache,
            description=f"Inland {args.place.stack}",
            subnet_ids=list(args.subnet_ids),
            opts=self._own,
        )

    def _firewall(self, args: StoreArgs) -> aws.ec2.SecurityGroup:
        group_name = names.prefixed(args.place, "store")
        return aws.ec2.SecurityGroup(
            self._name,
            name=group_name,
            description="Inland: store",
            vpc_id=args.vpc_id,
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    description="Nodes that take calls",
                    protocol="tcp",
                    from_port=PORT,
                    to_port=PORT,
                    security_groups=list(args.clients),
                )
            ],
            egress=[],
            tags={"Name": group_name},
            opts=self._own,
        )
