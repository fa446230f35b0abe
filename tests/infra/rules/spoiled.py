"""For each rule the ways to break it, by hand, on the small stacks."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from infra.rules.model import UNKNOWN, Graph, Invoke
from tests.infra.rules.small_stacks import (
    ACCOUNT,
    BOUNDARY,
    FENCE,
    KEY_POLICY,
    OTHER_ACCOUNT,
    PROVIDER,
    RECORDINGS,
    REGION,
    SOFTWARE,
    allow,
    bucket_policy,
    document,
    minus,
    named,
    plus,
    spoil,
    swap,
)

Spoil = Callable[[Graph], Graph]
BUCKET: Final = "aws:s3/bucket:Bucket"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
KEY: Final = "aws:kms/key:Key"
LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
PROVIDERS: Final = "pulumi:providers:aws"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
SECRET: Final = "aws:secretsmanager/secret:Secret"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"


def set_(type_: str, name: str | None = None, /, **properties: Any) -> Spoil:
    return lambda graph: spoil(graph, type_, name, **properties)


def add(type_: str, /, **properties: Any) -> Spoil:
    return lambda graph: plus(graph, type_, properties)


def drop(type_: str, name: str | None = None) -> Spoil:
    return lambda graph: minus(graph, type_, name)


def having(type_: str, name: str | None = None, /, **options: Any) -> Spoil:
    return lambda graph: swap(graph, replace(named(graph, type_, name), **options))


def reference(graph: Graph) -> Graph:
    return plus(graph, "pulumi:pulumi:StackReference", {"name": "organization/x/y"}, read=True)


def secretly(type_: str, name: str) -> Spoil:
    return lambda graph: having(type_, secrets=frozenset({name}))(
        spoil(graph, type_, **{name: "x"})
    )


def asked(token: str, provider: str | None = PROVIDER, /, **arguments: Any) -> Spoil:
    return lambda graph: replace(graph, invokes=(Invoke(token, arguments, provider),))


def without(sid: str) -> Spoil:
    left = [one for one in bucket_policy(RECORDINGS) if one["Sid"] != sid]
    return set_(POLICY, "recordings", policy=document(*left))


def worded(old: str, new: str) -> Spoil:
    policy = document(*bucket_policy(RECORDINGS)).replace(old, new)
    return set_(POLICY, "recordings", policy=policy)


def may(*statements: dict[str, Any]) -> Spoil:
    return set_(ROLE_POLICY, policy=document(*statements, FENCE))


def trusts(principal: Any, **more: Any) -> Spoil:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return set_(ROLE, assumeRolePolicy=document(statement))


def key_also(principal: Any, **more: Any) -> Spoil:
    own = json.loads(KEY_POLICY)["Statement"]
    return set_(KEY, policy=document(*own, allow("kms:Decrypt", Principal=principal, **more)))


def opens(protocol: str, low: int | None, high: int | None, source: str = "0.0.0.0/0") -> Spoil:
    kind = "ipv6CidrBlocks" if ":" in source else "cidrBlocks"
    rule = {"protocol": protocol, "fromPort": low, "toPort": high, kind: [source]}
    return set_(GROUP, ingress=[rule])


def disk(**ebs: Any) -> Spoil:
    def spoiled(graph: Graph) -> Graph:
        device = named(graph, TEMPLATE).properties["blockDeviceMappings"][0]
        changed = {**device, "ebs": {**device["ebs"], **ebs}}
        return spoil(graph, TEMPLATE, blockDeviceMappings=[changed])

    return spoiled


def user_data(text: str, *, squeezed: bool = False) -> Spoil:
    data = gzip.compress(text.encode(), mtime=0) if squeezed else text.encode()
    return set_(TEMPLATE, userData=base64.b64encode(data).decode())


def routed(**route: Any) -> Spoil:
    return set_("aws:ec2/routeTable:RouteTable", routes=[{"cidrBlock": "0.0.0.0/0", **route}])


FOREIGN = "eu-west-1"
SPOILED: Final[list[tuple[str, str, Spoil]]] = [
    ("explicit-provider", "none", having(LOGS, provider=None)),
    ("account-pin", "none", set_(PROVIDERS, allowedAccountIds=None)),
    ("account-pin", "two", set_(PROVIDERS, allowedAccountIds=[ACCOUNT, OTHER_ACCOUNT])),
    (
        "account-pin",
        "another account's role",
        set_(
            PROVIDERS, assumeRoles=json.dumps([{"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/x"}])
        ),
    ),
    ("provider-region", "another", set_(PROVIDERS, region=FOREIGN)),
    ("provider-region", "none", set_(PROVIDERS, region=None)),
    ("provider-region", "endpoints", set_(PROVIDERS, endpoints='[{"s3":"https://example.org"}]')),
    ("effective-region", "its own", set_(LOGS, region=FOREIGN)),
    ("effective-region", "unknown", set_(LOGS, region=UNKNOWN)),
    ("invoke-region", "its own", asked("aws:index/getRegion:getRegion", region=FOREIGN)),
    ("invoke-region", "no provider", asked("aws:index/getRegion:getRegion", None)),
    ("type-allowed", "table", add("aws:dynamodb/table:Table", name="calls")),
    ("type-allowed", "provider", add("pulumi:providers:command")),
    ("foreign-region-name", "ARN", set_(LOGS, arn=f"arn:aws:logs:{FOREIGN}:{ACCOUNT}:x")),
    ("foreign-region-name", "key", set_(LOGS, tags={"us-east-1": "x", "inland:holds": "logs"})),
    ("foreign-region-name", "in a policy", may(allow("s3:GetObject", "arn:aws:s3:us-west-2:1:x"))),
    ("foreign-region-name", "zone", set_("aws:ec2/subnet:Subnet", availabilityZone="us-east-1b")),
    (
        "foreign-region-name",
        "zone id",
        set_("aws:ec2/subnet:Subnet", availabilityZoneId="use1-az4"),
    ),
    (
        "foreign-region-name",
        "zone in another country",
        set_("aws:ec2/subnet:Subnet", availabilityZone=f"{REGION}-waw-1a"),
    ),
    ("foreign-region-name", "in user data", user_data("curl https://s3.us-east-2.amazonaws.com/a")),
    ("foreign-region-name", "squeezed", user_data("region: us-east-2 " * 9, squeezed=True)),
    ("foreign-region-name", "output", lambda graph: replace(graph, outputs={"to": FOREIGN})),
    ("foreign-account", "ARN", set_(LOGS, arn=f"arn:aws:logs:{REGION}:{OTHER_ACCOUNT}:x")),
    (
        "cross-region-inference",
        "ARN",
        may(
            allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/x")
        ),
    ),
    ("cross-region-inference", "id", user_data('{"model": "eu.anthropic.claude"}' + " " * 40)),
    ("default-tags", "none", set_(PROVIDERS, defaultTags=None)),
    ("key-single-region", "multi", set_(KEY, multiRegion=True)),
    ("key-single-region", "not said", set_(KEY, multiRegion=None)),
    ("key-rotation", "off", set_(KEY, enableKeyRotation=False)),
    ("key-deletion-window", "a week", set_(KEY, deletionWindowInDays=7)),
    ("key-policy", "none", set_(KEY, policy=None)),
    ("key-policy", "account", key_also({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})),
    ("key-policy", "account's number", key_also({"AWS": OTHER_ACCOUNT})),
    ("key-policy", "anybody", key_also("*")),
    ("key-policy", "anybody in AWS", key_also({"AWS": "*"})),
    ("key-policy", "service for anybody", key_also({"Service": "logs.amazonaws.com"})),
    (
        "key-policy",
        "operator unknown here",
        key_also("*", Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
    ),
    ("own-key", "none", set_(LOGS, kmsKeyId=None)),
    ("own-key", "not of the stack", having(LOGS, dependencies={})),
    ("own-key", "disk", disk(kmsKeyId=None)),
    ("own-key", "topic", set_("aws:sns/topic:Topic", kmsMasterKeyId=None)),
    (
        "own-key",
        "bucket",
        set_(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "recordings",
            rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
        ),
    ),
    ("encrypted-volume", "off", disk(encrypted="false")),
    ("encrypted-volume", "the image's", set_(TEMPLATE, blockDeviceMappings=None)),
    ("cache-sealed", "no TLS", set_(CACHE, transitEncryptionEnabled=False)),
    ("cache-sealed", "at rest", set_(CACHE, atRestEncryptionEnabled=None)),
    ("cache-login", "nobody", set_(CACHE, userGroupIds=None)),
    (
        "cache-login",
        "every key",
        set_("aws:elasticache/user:User", accessString="on ~* -@all +@read"),
    ),
    ("no-replication", "type", add("aws:s3/bucketReplicationConfig:BucketReplicationConfig")),
    ("no-replication", "property", set_(BUCKET, replicationConfiguration={"role": "x"})),
    ("no-global-store", "joined", set_(CACHE, globalReplicationGroupId="ldgnf-x")),
    ("no-key-copy", "replica", add("aws:kms/replicaKey:ReplicaKey")),
    ("no-secret-replica", "one", set_(SECRET, replicas=[{"region": REGION}])),
    ("no-snapshot", "cache", set_(CACHE, snapshotRetentionLimit=1)),
    ("no-snapshot", "copy", add("aws:ebs/snapshotCopy:SnapshotCopy")),
    ("public-sharing", "snapshot", add("aws:ec2/amiLaunchPermission:AmiLaunchPermission")),
    ("public-sharing", "list", set_(BUCKET, acl="public-read")),
    ("bucket-complete", "no policy", drop(POLICY, "recordings")),
    (
        "bucket-complete",
        "owner",
        set_(
            "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
            rule={"objectOwnership": "ObjectWriter"},
        ),
    ),
    (
        "bucket-retention",
        "disabled",
        set_(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            "recordings",
            rules=[{"status": "Disabled", "expiration": {"days": 30}}],
        ),
    ),
    (
        "bucket-public-access",
        "off",
        set_("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", restrictPublicBuckets=False),
    ),
    (
        "bucket-public-access",
        "none",
        drop("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "software"),
    ),
    ("bucket-tls", "not said", without("Tls")),
    ("bucket-endpoint", "not said", without("Endpoint")),
    ("bucket-endpoint", "turned round", worded('"StringNotEquals"', '"StringEquals"')),
    ("bucket-endpoint", "lets versions out", worded("s3:GetObject*", "s3:GetObject")),
    ("bucket-endpoint", "another's", having(POLICY, "recordings", dependencies={})),
    ("bucket-replication", "not said", without("Replication")),
    ("bucket-replication", "in one way", worded('"s3:InitiateReplication"', '"s3:Other"')),
    ("bucket-foreign-key", "not said", without("Key")),
    ("bucket-foreign-key", "unknown operator", worded("StringNotEqualsIfExists", "StringDiffers")),
    (
        "policy-outsider",
        "bucket",
        set_(
            POLICY,
            "software",
            policy=document(*bucket_policy(SOFTWARE)[:1], allow("s3:*", Principal={"AWS": "*"})),
        ),
    ),
    (
        "policy-outsider",
        "topic",
        set_("aws:sns/topic:Topic", policy=document(allow("sns:Publish", Principal="*"))),
    ),
    ("world-open-port", "SSH", opens("tcp", 22, 22)),
    ("world-open-port", "range", opens("tcp", 443, 444)),
    ("world-open-port", "IPv6", opens("tcp", 6379, 6379, "::/0")),
    ("world-open-port", "half the world", opens("tcp", 22, 22, "128.0.0.0/1")),
    ("world-open-port", "clear SIP", opens("udp", 5000, 6000)),
    (
        "world-open-port",
        "rule of its own",
        add(
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            ipProtocol="tcp",
            fromPort=22,
            toPort=22,
            cidrIpv6="::/0",
        ),
    ),
    (
        "world-open-port",
        "rule of the old kind",
        add(
            "aws:ec2/securityGroupRule:SecurityGroupRule",
            type="ingress",
            protocol="6",
            fromPort=0,
            toPort=65535,
            cidrBlocks=["0.0.0.0/0"],
        ),
    ),
    ("world-open-protocol", "all", opens("-1", 0, 0, "10.0.0.0/8")),
    (
        "default-group-empty",
        "open",
        set_("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", egress=[{}]),
    ),
    ("default-group-empty", "as it was", drop("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")),
    ("no-road-out", "peering", add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection")),
    ("no-road-out", "transit", add("aws:ec2transitgateway/transitGateway:TransitGateway")),
    ("no-road-out", "route", routed(natGatewayId="nat-1")),
    ("no-road-out", "endpoint", set_("aws:ec2/vpcEndpoint:VpcEndpoint", serviceRegion=FOREIGN)),
    ("endpoint-policy", "none", set_("aws:ec2/vpcEndpoint:VpcEndpoint", policy=None)),
    (
        "endpoint-policy",
        "any bucket",
        set_("aws:ec2/vpcEndpoint:VpcEndpoint", policy=document(allow("s3:*", Principal="*"))),
    ),
    (
        "no-access-logs",
        "on",
        set_("aws:lb/loadBalancer:LoadBalancer", accessLogs={"enabled": True, "bucket": "x"}),
    ),
    (
        "listener-tls",
        "old",
        set_("aws:lb/listener:Listener", sslPolicy="ELBSecurityPolicy-2016-08"),
    ),
    (
        "listener-tls",
        "plain",
        set_("aws:lb/listener:Listener", protocol="HTTP", defaultActions=[{"type": "forward"}]),
    ),
    (
        "subscription-home",
        "web",
        set_("aws:sns/topicSubscription:TopicSubscription", protocol="https"),
    ),
    (
        "subscription-home",
        "queue",
        set_(
            "aws:sns/topicSubscription:TopicSubscription",
            protocol="sqs",
            endpoint=f"arn:aws:sqs:{REGION}:{OTHER_ACCOUNT}:alarms",
        ),
    ),
    ("role-trust", "anybody", trusts("*")),
    ("role-trust", "account", trusts({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})),
    ("role-trust", "service", trusts({"Service": "lambda.amazonaws.com"})),
    ("role-trust", "web identity", trusts({"Federated": "accounts.example.org"})),
    ("role-actions", "everything", may(allow("*"))),
    ("role-actions", "of a service", may(allow(["s3:GetObject", "kms:*"]))),
    ("role-actions", "all but", may({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})),
    (
        "role-actions",
        "worded by AWS",
        add(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            role="inland-edge",
            policyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess",
        ),
    ),
    ("role-boundary", "none", set_(ROLE, permissionsBoundary=None)),
    ("role-boundary", "another", set_(ROLE, permissionsBoundary=BOUNDARY + "-other")),
    (
        "role-boundary",
        "open",
        set_("aws:iam/policy:Policy", policy=document(allow("s3:PutObject"))),
    ),
    ("role-fence", "none", set_(ROLE_POLICY, policy=document(allow("s3:PutObject")))),
    (
        "role-fence",
        "with a gap",
        set_(ROLE_POLICY, policy=document({**FENCE, "NotAction": ["iam:*", "s3:*"]})),
    ),
    ("metadata-token", "optional", set_(TEMPLATE, metadataOptions={"httpTokens": "optional"})),
    ("metadata-token", "far", set_(TEMPLATE, metadataOptions={"httpPutResponseHopLimit": 2})),
    ("disk-ends", "stays", disk(deleteOnTermination="false")),
    ("holds-tag", "none", set_(LOGS, tags={})),
    ("holds-tag", "wrong", set_(BUCKET, "software", tags={"inland:holds": "sessions"})),
    ("protected", "key", having(KEY, protect=False)),
    ("protected", "recordings", having(BUCKET, "recordings", protect=False)),
    ("log-retention", "none", set_(LOGS, retentionInDays=None)),
    ("log-retention", "for ever", set_(LOGS, retentionInDays=0)),
    ("log-home", "bucket", set_("aws:ec2/flowLog:FlowLog", logDestinationType="s3")),
    ("log-home", "another group", having("aws:ec2/flowLog:FlowLog", dependencies={})),
    ("known-keys", "nested", set_(TEMPLATE, placement={"host_resource_group": "x"})),
    ("document-seen", "role", set_(ROLE_POLICY, policy=UNKNOWN)),
    ("document-seen", "bucket", set_(POLICY, policy=UNKNOWN)),
    (
        "no-secret-export",
        "one",
        lambda graph: replace(graph, outputs={"key": "x"}, secret_outputs=frozenset({"key"})),
    ),
    ("no-secret-value", "version", add("aws:secretsmanager/secretVersion:SecretVersion")),
    ("no-secret-value", "property", secretly(CACHE, "authToken")),
    ("no-stack-reference", "one", reference),
    ("no-lookup", "bucket", having(BUCKET, "recordings", read=True)),
    ("software-read-only", "writes", may(allow("s3:PutObject", f"arn:aws:s3:::{SOFTWARE}/*"))),
]
"""(rule, in what way, how)"""

SPOILED_CONTROL_PLANE: Final[list[tuple[str, str, Spoil]]] = [
    ("provider-region", "third region", set_(PROVIDERS, region="us-east-1")),
    ("type-allowed", "cache", add(CACHE)),
    ("type-allowed", "queue", add("aws:sqs/queue:Queue")),
    ("control-plane-holds-nothing", "table", add("aws:dynamodb/table:Table")),
    (
        "control-plane-holds-nothing",
        "recordings",
        set_(BUCKET, "software", tags={"inland:holds": "recordings"}),
    ),
    ("software-read-only", "writes", may(allow("s3:PutObject", "*"))),
    (
        "no-access-logs",
        "on",
        set_("aws:lb/loadBalancer:LoadBalancer", accessLogs={"enabled": True}),
    ),
]
