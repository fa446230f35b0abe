"""What is in an account, asked of every region that botocore knows, without the double's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from tests.infra.rehearsal.cloud import Cloud


class Found(NamedTuple):
    """One thing that exists."""

    service: str
    region: str
    kind: str
    id: str


List: TypeAlias = tuple[str, str, str]
"""An operation of boto3, the key of its list, and the key of an id in that (or "" for texts)."""

REGIONAL: Final[Mapping[str, tuple[List, ...]]] = {
    "acm": (("list_certificates", "CertificateSummaryList", "CertificateArn"),),
    "autoscaling": (
        ("describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
        ("describe_policies", "ScalingPolicies", "PolicyARN"),
    ),
    "cloudwatch": (
        ("describe_alarms", "MetricAlarms", "AlarmName"),
        ("list_dashboards", "DashboardEntries", "DashboardName"),
    ),
    "ec2": (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
        ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("describe_volumes", "Volumes", "VolumeId"),
        ("describe_addresses", "Addresses", "PublicIp"),
        ("describe_vpc_peering_connections", "VpcPeeringConnections", "VpcPeeringConnectionId"),
    ),
    "elasticache": (
        ("describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
        ("describe_cache_clusters", "CacheClusters", "CacheClusterId"),
        ("describe_users", "Users", "UserId"),
        ("describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
        ("describe_snapshots", "Snapshots", "SnapshotName"),
    ),
    "elbv2": (
        ("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        ("describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ),
    "logs": (("describe_log_groups", "logGroups", "logGroupName"),),
    "secretsmanager": (("list_secrets", "SecretList", "ARN"),),
    "sns": (
        ("list_topics", "Topics", "TopicArn"),
        ("list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ),
}
GLOBAL: Final[Mapping[str, tuple[List, ...]]] = {
    "iam": (
        ("list_roles", "Roles", "RoleName"),
        ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
        ("list_users", "Users", "UserName"),
    ),
    "route53": (
        ("list_hosted_zones", "HostedZones", "Id"),
        ("list_health_checks", "HealthChecks", "Id"),
    ),
}
GONE: Final = ("deleted", "deleting", "terminated")
"""What AWS goes on to list for a while after it was deleted."""
ASKED_IN: Final = "us-east-1"
"""Where services without a region answer."""


def sweep(cloud: Cloud, account: str) -> set[Found]:
    """Everything of the services that a stack uses, in all regions."""
    found: set[Found] = set()
    for service, lists in REGIONAL.items():
        for region in cloud.regions(service):
            found |= set(_listed(cloud, service, region, lists))
    for region in cloud.regions("ec2"):
        found |= {*_instances(cloud, region), *_interfaces(cloud, region)}
    for region in cloud.regions("kms"):
        found |= set(_keys(cloud, region))
    for service, lists in GLOBAL.items():
        found |= {item._replace(region="") for item in _listed(cloud, service, ASKED_IN, lists)}
    return found | {
        *_buckets(cloud),
        *_policies(cloud),
        *_records(cloud),
        *_budgets(cloud, account),
    }


def _listed(cloud: Cloud, service: str, region: str, lists: tuple[List, ...]) -> Iterator[Found]:
    client = cloud.client(service, region)
    for operation, key, id_ in lists:
        for item in _pages(client, operation, key):
            if str(item.get("Status", item.get("State"))) not in GONE:
                yield Found(service, region, key, item[id_])


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(key) or ()
    else:
        yield from getattr(client, operation)(**arguments).get(key) or ()


def _instances(cloud: Cloud, region: str) -> Iterator[Found]:
    client = cloud.client("ec2", region)
    for reservation in _pages(client, "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in GONE:
                yield Found("ec2", region, "Instances", instance["InstanceId"])


def _interfaces(cloud: Cloud, region: str) -> Iterator[Found]:
    """Those of no machine: a machine's own ends with it, which moto does not do by itself."""
    client = cloud.client("ec2", region)
    for item in _pages(client, "describe_network_interfaces", "NetworkInterfaces"):
        if "InstanceId" not in item.get("Attachment", {}):
            yield Found("ec2", region, "NetworkInterfaces", item["NetworkInterfaceId"])


def _keys(cloud: Cloud, region: str) -> Iterator[Found]:
    """Keys but those that only wait for their end, and aliases that point to a key."""
    client = cloud.client("kms", region)
    for item in _pages(client, "list_keys", "Keys"):
        if _state(client, item["KeyId"]) != "PendingDeletion":
            yield Found("kms", region, "Keys", item["KeyId"])
    for item in _pages(client, "list_aliases", "Aliases"):
        if not item["AliasName"].startswith("alias/aws/"):
            yield Found("kms", region, "Aliases", item["AliasName"])


def _state(client: Any, key: str) -> str:
    """A key that nobody may describe is in use all the same."""
    try:
        return str(client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return "Enabled"


def _buckets(cloud: Cloud) -> Iterator[Found]:
    client = cloud.client("s3", ASKED_IN)
    for bucket in client.list_buckets()["Buckets"]:
        place = client.get_bucket_location(Bucket=bucket["Name"])["LocationConstraint"]
        yield Found("s3", place or ASKED_IN, "Buckets", bucket["Name"])


def _policies(cloud: Cloud) -> Iterator[Found]:
    client = cloud.client("iam", ASKED_IN)
    for policy in _pages(client, "list_policies", "Policies", Scope="Local"):
        yield Found("iam", "", "Policies", policy["Arn"])


def _records(cloud: Cloud) -> Iterator[Found]:
    client = cloud.client("route53", ASKED_IN)
    for zone in _pages(client, "list_hosted_zones", "HostedZones"):
        listed = _pages(
            client, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
        )
        for record in listed:
            which = f"{record['Name']} {record['Type']} {record.get('SetIdentifier', '')}"
            yield Found("route53", "", "ResourceRecordSets", which.strip())


def _budgets(cloud: Cloud, account: str) -> Iterator[Found]:
    client = cloud.client("budgets", ASKED_IN)
    for budget in client.describe_budgets(AccountId=account).get("Budgets", ()):
        yield Found("budgets", "", "Budgets", budget["BudgetName"])


SERVICES: Final = frozenset({*REGIONAL, *GLOBAL, "kms", "s3", "budgets"})
"""What the sweep asks. A test holds it against the services of the double."""
