"""Two small stacks, written by hand, that keep every rule; and how to spoil them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.rules.model import Graph, Resource, Scope
from infra.rules.options import PLUGIN_VERSION

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-central-1"
SCOPE = Scope("region", frozenset({REGION}), ACCOUNT)
CONTROL_PLANE_SCOPE = Scope("control-plane", frozenset({REGION, "ap-south-1"}), ACCOUNT)
RECORDINGS = f"inland-recordings-{ACCOUNT}-{REGION}"
SOFTWARE = f"inland-software-{ACCOUNT}-{REGION}"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/inland-{REGION}-boundary"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ENDPOINT_ID = "vpce-1a2b3c4d"
LOG_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:flow"
BALANCER_ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/sip/1a2b"


def urn(type_: str, name: str, stack: str = REGION) -> str:
    return f"urn:pulumi:{stack}::inland-region::{type_}::{name}"


PROVIDER = urn("pulumi:providers:aws", "region")
KEY = urn("aws:kms/key:Key", "data")
ENDPOINT = urn("aws:ec2/vpcEndpoint:VpcEndpoint", "s3")


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource, **more}


def home(action: Any) -> dict[str, Any]:
    """For everybody, on what is the account's."""
    condition = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    return allow(action, Principal="*", Condition=condition)


FENCE = {
    "Effect": "Deny",
    "NotAction": ["iam:*", "sts:*"],
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": REGION}},
}
SESSION = {
    "kms:EncryptionContext:inland:tenant": "clinic",
    "kms:EncryptionContext:inland:region": REGION,
}
"""What a node tells KMS of a session (``edge.session.kms``)."""
KEY_POLICY = document(
    allow(["kms:DescribeKey", "kms:Put*"], Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    allow(
        ["kms:Decrypt", "kms:Encrypt"],
        Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        Condition={"StringEquals": SESSION},
    ),
    allow(
        "kms:Decrypt",
        Principal={"Service": "cloudwatch.amazonaws.com"},
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ),
    allow(
        "kms:Decrypt",
        Principal={"AWS": "*"},
        Condition={
            "StringEquals": {
                "kms:CallerAccount": ACCOUNT,
                "kms:ViaService": f"ec2.{REGION}.amazonaws.com",
            }
        },
    ),
)


def bucket_policy(bucket: str) -> list[dict[str, Any]]:
    objects = f"arn:aws:s3:::{bucket}/*"
    both = [f"arn:aws:s3:::{bucket}", objects]
    return [
        deny("s3:*", both, Sid="Tls", Condition={"Bool": {"aws:SecureTransport": "false"}}),
        deny(
            ["s3:GetObject*", "s3:PutObject*"],
            objects,
            Sid="Endpoint",
            Condition={"StringNotEquals": {"aws:SourceVpce": ENDPOINT_ID}},
        ),
        deny(
            ["s3:PutReplicationConfiguration", "s3:ReplicateObject", "s3:InitiateReplication"],
            both,
            Sid="Replication",
        ),
        deny(
            "s3:PutObject",
            objects,
            Sid="Key",
            Condition={
                "StringNotEqualsIfExists": {
                    "s3:x-amz-server-side-encryption-aws-kms-key-id": KEY_ARN
                }
            },
        ),
    ]


def _resource(type_: str, name: str, properties: Mapping[str, Any], **more: Any) -> Resource:
    provider = None if type_.startswith("pulumi:") else PROVIDER
    told = {"provider": provider, "version": PLUGIN_VERSION, **more}
    return Resource(urn(type_, name), type_, name, properties, **told)


def _bucket(name: str, bucket: str, holds: str) -> list[Resource]:
    about = {"bucket": (urn("aws:s3/bucket:Bucket", name),)}
    blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    sealed = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY_ARN}
    return [
        _resource(
            "aws:s3/bucket:Bucket",
            name,
            {"bucket": bucket, "tags": {"inland:holds": holds}},
            protect=holds != "software",
        ),
        _resource(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            name,
            {"bucket": bucket, **dict.fromkeys(blocks, True)},
            dependencies=about,
        ),
        _resource(
            "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
            name,
            {"bucket": bucket, "rule": {"objectOwnership": "BucketOwnerEnforced"}},
            dependencies=about,
        ),
        *([] if holds == "software" else [_lifecycle(bucket, about)]),
        _resource(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            name,
            {"bucket": bucket, "rules": [{"applyServerSideEncryptionByDefault": sealed}]},
            dependencies={**about, "rules": (KEY,)},
        ),
        _resource(
            "aws:s3/bucketPolicy:BucketPolicy",
            name,
            {"bucket": bucket, "policy": document(*bucket_policy(bucket))},
            dependencies={**about, "policy": (ENDPOINT, KEY)},
        ),
    ]


def _lifecycle(bucket: str, about: Mapping[str, tuple[str, ...]]) -> Resource:
    rules = [{"status": "Enabled", "expiration": {"days": 30}}]
    return _resource(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "recordings",
        {"bucket": bucket, "rules": rules},
        dependencies=about,
    )


def _network() -> list[Resource]:
    vpc = urn("aws:ec2/vpc:Vpc", "vpc")
    world = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}
    carrier = {"protocol": "udp", "fromPort": 5060, "toPort": 5060, "cidrBlocks": ["192.0.2.0/28"]}
    own = {"protocol": "tcp", "fromPort": 8080, "toPort": 8080, "cidrBlocks": ["10.16.0.0/16"]}
    return [
        _resource("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.16.0.0/16"}, made={"id": "vpc-1"}),
        _resource(
            "aws:ec2/internetGateway:InternetGateway",
            "gateway",
            {"vpcId": "vpc-1"},
            made={"id": "igw-1"},
        ),
        _resource(
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            "default",
            {"vpcId": "vpc-1"},
            dependencies={"vpcId": (vpc,)},
        ),
        _resource(
            "aws:ec2/subnet:Subnet",
            "edge",
            {"vpcId": "vpc-1", "availabilityZoneId": "euc1-az1"},
            made={"id": "subnet-1"},
        ),
        _resource(
            "aws:ec2/securityGroup:SecurityGroup",
            "edge",
            {"vpcId": "vpc-1", "ingress": [world, own, carrier]},
            made={"id": "sg-1"},
        ),
        _resource(
            "aws:ec2/routeTable:RouteTable",
            "public",
            {"routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}]},
        ),
        _resource(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            "s3",
            {
                "serviceName": f"com.amazonaws.{REGION}.s3",
                "vpcEndpointType": "Gateway",
                "policy": document(home("s3:*")),
            },
            dependencies={"policy": (vpc,)},
            made={"id": ENDPOINT_ID},
        ),
        _resource(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            "secrets",
            {
                "serviceName": f"com.amazonaws.{REGION}.secretsmanager",
                "policy": document(home("secretsmanager:GetSecretValue")),
                "subnetIds": ["subnet-1"],
            },
        ),
        _resource(
            "aws:ec2/flowLog:FlowLog",
            "flow",
            {"logDestination": LOG_ARN, "logDestinationType": "cloud-watch-logs"},
        ),
        _resource(
            "aws:lb/loadBalancer:LoadBalancer",
            "sip",
            {"name": "sip", "accessLogs": {}, "securityGroups": ["sg-1"]},
            made={"arn": BALANCER_ARN, "dnsName": "sip.example.net", "zoneId": "Z1"},
        ),
        _resource(
            "aws:route53/record:Record",
            "sip",
            {
                "type": "A",
                "name": "sip.example.org",
                "aliases": [{"name": "sip.example.net", "zoneId": "Z1"}],
            },
        ),
        _resource(
            "aws:route53/record:Record",
            "sip-udp",
            {"type": "SRV", "records": ["10 10 5060 sip.example.org."]},
        ),
        _resource(
            "aws:lb/listener:Listener",
            "turn",
            {
                "port": 5349,
                "protocol": "TLS",
                "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
                "loadBalancerArn": BALANCER_ARN,
            },
        ),
    ]


def _stores() -> list[Resource]:
    sealed = {"kmsKeyId": (KEY,)}
    return [
        _resource(
            "aws:kms/key:Key",
            "data",
            {
                "multiRegion": False,
                "enableKeyRotation": True,
                "deletionWindowInDays": 30,
                "policy": KEY_POLICY,
                "tags": {"inland:holds": "keys"},
            },
            protect=True,
            made={"id": KEY_ARN.rpartition("/")[2], "arn": KEY_ARN},
        ),
        _resource(
            "aws:cloudwatch/logGroup:LogGroup",
            "flow",
            {"kmsKeyId": KEY_ARN, "retentionInDays": 30, "tags": {"inland:holds": "logs"}},
            dependencies=sealed,
            made={"arn": LOG_ARN},
        ),
        _resource(
            "aws:secretsmanager/secret:Secret",
            "region-key",
            {"kmsKeyId": KEY_ARN, "tags": {"inland:holds": "secrets"}},
            dependencies=sealed,
        ),
        _resource(
            "aws:elasticache/replicationGroup:ReplicationGroup",
            "store",
            {
                "kmsKeyId": KEY_ARN,
                "transitEncryptionEnabled": True,
                "atRestEncryptionEnabled": True,
                "snapshotRetentionLimit": 0,
                "userGroupIds": ["inland"],
                "tags": {"inland:holds": "sessions"},
            },
            dependencies=sealed,
        ),
        _resource(
            "aws:elasticache/user:User",
            "clinic",
            {
                "accessString": "on ~inland:clinic:* resetchannels -@all +hget +hset",
                "authenticationMode": {"type": "iam"},
                "userId": "inland-clinic",
            },
        ),
        _resource(
            "aws:elasticache/userGroup:UserGroup",
            "store",
            {"userGroupId": "inland", "userIds": ["inland-clinic"]},
        ),
        _resource(
            "aws:sns/topic:Topic",
            "alarms",
            {"kmsMasterKeyId": KEY_ARN, "tags": {"inland:holds": "alarms"}},
            dependencies={"kmsMasterKeyId": (KEY,)},
        ),
        _resource(
            "aws:sns/topicSubscription:TopicSubscription",
            "mail",
            {"protocol": "email", "endpoint": "oncall@example.org"},
        ),
        _resource(
            "aws:sns/topicSubscription:TopicSubscription",
            "queue",
            {"protocol": "sqs", "endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarms"},
        ),
    ]


def _roles(may: Mapping[str, Any]) -> list[Resource]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return [
        _resource(
            "aws:iam/policy:Policy",
            "boundary",
            {
                "name": f"inland-{REGION}-boundary",
                "policy": document(allow(["s3:PutObject", "s3:GetObject"]), FENCE),
            },
        ),
        _resource(
            "aws:iam/role:Role",
            "edge",
            {
                "name": "inland-edge",
                "assumeRolePolicy": document(trust),
                "permissionsBoundary": BOUNDARY,
            },
        ),
        _resource(
            "aws:iam/rolePolicy:RolePolicy",
            "edge",
            {"role": "inland-edge", "policy": document(may, FENCE)},
        ),
    ]


def _nodes() -> list[Resource]:
    disk = {"encrypted": "true", "kmsKeyId": KEY_ARN, "volumeSize": 20}
    return [
        _resource(
            "aws:ec2/launchTemplate:LaunchTemplate",
            "edge",
            {
                "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
                "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
                "networkInterfaces": [{"securityGroups": ["sg-1"]}],
            },
            dependencies={"blockDeviceMappings": (KEY,)},
            made={"id": "lt-1"},
        ),
        _resource(
            "aws:autoscaling/group:Group",
            "edge",
            {"launchTemplate": {"id": "lt-1"}, "vpcZoneIdentifiers": ["subnet-1"]},
        ),
    ]


def _provider(name: str, region: str) -> Resource:
    tags = {"inland:stack": REGION, "inland:jurisdiction": "eea"}
    properties = {
        "region": region,
        "allowedAccountIds": json.dumps([ACCOUNT]),
        "defaultTags": json.dumps({"tags": tags}),
    }
    return _resource("pulumi:providers:aws", name, properties)


def _graph(*resources: Resource) -> Graph:
    found = {resource.urn: resource for resource in resources}
    return Graph("inland-region", REGION, dict(sorted(found.items())))


def small_region() -> Graph:
    """A region's stack with one resource of each kind that a rule looks at."""
    return _graph(
        _provider("region", REGION),
        *_stores(),
        *_network(),
        *_roles(allow("s3:PutObject", f"arn:aws:s3:::{RECORDINGS}/clinic/*")),
        *_nodes(),
        *_bucket("recordings", RECORDINGS, "recordings"),
        *_bucket("software", SOFTWARE, "software"),
    )


def small_control_plane() -> Graph:
    """A control plane: no store of sessions, no recordings."""
    gone = ("aws:elasticache/",)
    kept = (
        resource
        for resource in small_region().resources.values()
        if not resource.type.startswith(gone) and resource.name != "recordings"
    )
    reads = allow("s3:GetObject", f"arn:aws:s3:::{SOFTWARE}/software/*")
    return _graph(_provider("second", "ap-south-1"), *kept, *_roles(reads))


def named(graph: Graph, type_: str, name: str | None = None) -> Resource:
    """The resource of a type, by name where there are several."""
    return next(found for found in graph.of(type_) if name in (None, found.name))


def plus(graph: Graph, type_: str, properties: Mapping[str, Any], **more: Any) -> Graph:
    """The stack with one resource more."""
    return swap(graph, _resource(type_, "extra", properties, **more))


def minus(graph: Graph, type_: str, name: str | None = None) -> Graph:
    """The stack without one of its resources."""
    gone = named(graph, type_, name).urn
    left = {urn_: found for urn_, found in graph.resources.items() if urn_ != gone}
    return replace(graph, resources=left)


def swap(graph: Graph, resource: Resource) -> Graph:
    """The stack with this resource in place of the one of its URN."""
    resources = {**graph.resources, resource.urn: resource}
    return replace(graph, resources=dict(sorted(resources.items())))


def spoil(graph: Graph, type_: str, name: str | None = None, **properties: Any) -> Graph:
    """The stack with other properties of one resource."""
    found = named(graph, type_, name)
    return swap(graph, replace(found, properties={**found.properties, **properties}))
