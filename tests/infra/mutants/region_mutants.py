"""Ways to break each rule on the program of a region, and the rule that must see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, ResourceOptions

from tests.infra.mutants.making import (
    ACCOUNT,
    OTHER_ACCOUNT,
    PROVIDER,
    Properties,
    Spoil,
    adding,
    allow,
    also,
    changing,
    doing,
    protect_off,
    provider_in,
    set_,
    unsaid,
    wording,
)

BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
KEY: Final = "aws:kms/key:Key"
LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
SECRET: Final = "aws:secretsmanager/secret:Secret"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
RECORDINGS: Final = f"inland-recordings-{ACCOUNT}-eu-central-1"
SOFTWARE: Final = f"inland-software-{ACCOUNT}-eu-central-1"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A spoiled program, the rule meant for it, and the rules that cannot but see it too.

    ``preview`` where the fault shows only before anything is made.
    """

    name: str
    rule: str
    spoil: Spoil
    preview: bool = False
    also: frozenset[str] = frozenset()


def _disk(**ebs: Any) -> Spoil:
    device = {"encrypted": "true", "kms_key_id": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/x"}

    def change(found: Properties, _: ResourceOptions) -> None:
        first = found["block_device_mappings"][0]
        for name, value in ({} if ebs else device).items() or ebs.items():
            setattr(first.ebs, name, value)

    return changing(TEMPLATE, change, "edge")


def _opening(**rule: Any) -> Spoil:
    def change(found: Properties, _: ResourceOptions) -> None:
        found["ingress"] = [*(found.get("ingress") or []), rule]

    return changing("aws:ec2/securityGroup:SecurityGroup", change, "edge")


def _typo(found: Properties, _: ResourceOptions) -> None:
    found["placement"] = {"tenancy": "dedicated", "host_resource_grp_arn": "x"}


def _unencrypted_bucket(options: ResourceOptions) -> None:
    protected = ResourceOptions.merge(options, ResourceOptions(protect=True))
    aws.s3.Bucket("bare", tags={"inland:holds": "recordings"}, opts=protected)


def _policy_of_the_unknown(options: ResourceOptions) -> None:
    network = aws.ec2.Vpc("other", cidr_block="10.99.0.0/16", opts=options)
    policy = network.arn.apply(lambda arn: json.dumps({"Statement": [allow("ec2:RunX", arn)]}))
    aws.iam.RolePolicy("unknown", role="inland-eu-central-1-edge", policy=policy, opts=options)


def _replica_key(options: ResourceOptions) -> None:
    primary = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/mrk-1"
    aws.kms.ReplicaKey("twin", primary_key_arn=primary, opts=options)


def _second_region() -> None:
    aws.ec2.Vpc("abroad", cidr_block="10.99.0.0/16", opts=provider_in("us-east-1"))


def _place() -> Iterator[Mutant]:
    yield Mutant(
        "a log group of the default provider",
        "explicit-provider",
        doing(lambda: aws.cloudwatch.LogGroup("default", retention_in_days=1)),
        also=frozenset({"effective-region", "holds-tag", "own-key"}),
    )
    yield Mutant("no account pin", "account-pin", set_(PROVIDER, allowed_account_ids=None))
    yield Mutant(
        "a provider abroad",
        "provider-region",
        doing(_second_region),
        also=frozenset({"default-group-empty", "effective-region", "foreign-region-name"}),
    )
    yield Mutant(
        "a region of its own",
        "effective-region",
        set_(LOGS, region="eu-west-1"),
        also=frozenset({"foreign-region-name"}),
    )
    yield Mutant(
        "a question abroad",
        "invoke-region",
        adding(
            lambda options: aws.get_availability_zones_output(
                region="eu-west-1", opts=InvokeOptions(provider=options.provider)
            )
        ),
    )
    yield Mutant(
        "a table",
        "type-allowed",
        adding(
            lambda options: aws.dynamodb.Table(
                "calls",
                attributes=[{"name": "id", "type": "S"}],
                hash_key="id",
                billing_mode="PAY_PER_REQUEST",
                opts=options,
            )
        ),
    )
    yield Mutant(
        "alarms sent abroad",
        "foreign-region-name",
        set_(
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            alarm_actions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:ops"],
        ),
    )
    yield Mutant(
        "a copy to another region in a policy",
        "foreign-region-name",
        also(ROLE_POLICY, allow("s3:PutObject", f"arn:aws:s3:us-west-2:{ACCOUNT}:accesspoint/x")),
    )
    yield Mutant(
        "subnets of a zone in another country",
        "foreign-region-name",
        set_("aws:ec2/subnet:Subnet", availability_zone="eu-central-1-waw-1a"),
    )
    yield Mutant(
        "alarms sent to another account",
        "foreign-account",
        set_(
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            alarm_actions=[f"arn:aws:sns:eu-central-1:{OTHER_ACCOUNT}:ops"],
        ),
    )
    yield Mutant(
        "a model of several regions",
        "cross-region-inference",
        also(
            ROLE_POLICY,
            allow(
                "bedrock:InvokeModel",
                f"arn:aws:bedrock:eu-central-1:{ACCOUNT}:inference-profile/eu.anthropic.claude",
            ),
        ),
    )
    yield Mutant("no default tags", "default-tags", set_(PROVIDER, default_tags=None))


def _keys() -> Iterator[Mutant]:
    yield Mutant("a key of several regions", "key-single-region", set_(KEY, multi_region=True))
    yield Mutant("a key that stays", "key-rotation", set_(KEY, enable_key_rotation=False))
    yield Mutant(
        "a key gone in a week", "key-deletion-window", set_(KEY, deletion_window_in_days=7)
    )
    yield Mutant(
        "a key for anybody", "key-policy", also(KEY, allow("kms:Decrypt", Principal={"AWS": "*"}))
    )
    yield Mutant(
        "a key for another account",
        "key-policy",
        also(KEY, allow("kms:*", Principal={"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})),
        also=frozenset({"foreign-account"}),
    )
    yield Mutant("logs under AWS's key", "own-key", set_(LOGS, kms_key_id=None))
    yield Mutant(
        "sessions under a key of nobody here",
        "own-key",
        set_(CACHE, kms_key_id=f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/elsewhere"),
    )
    yield Mutant("disks under a key of nobody here", "own-key", _disk())
    yield Mutant("open disks", "encrypted-volume", _disk(encrypted="false"))
    yield Mutant(
        "sessions without TLS", "cache-sealed", set_(CACHE, transit_encryption_enabled=False)
    )
    yield Mutant("sessions for all", "cache-login", set_(CACHE, user_group_ids=None))
    yield Mutant(
        "a tenant that reads all",
        "cache-login",
        set_("aws:elasticache/user:User", access_string="on ~* resetchannels -@all +@read"),
    )


def _copies() -> Iterator[Mutant]:
    yield Mutant(
        "a replicated bucket",
        "no-replication",
        adding(
            lambda options: aws.s3.BucketReplicationConfig(
                "copy",
                bucket=RECORDINGS,
                role=f"arn:aws:iam::{ACCOUNT}:role/copy",
                rules=[
                    {
                        "id": "all",
                        "status": "Enabled",
                        "destination": {"bucket": "arn:aws:s3:::backup"},
                    }
                ],
                opts=options,
            )
        ),
        also=frozenset({"type-allowed"}),
    )
    yield Mutant(
        "a global datastore", "no-global-store", set_(CACHE, global_replication_group_id="ldgnf-x")
    )
    yield Mutant(
        "a twin of a key", "no-key-copy", adding(_replica_key), also=frozenset({"type-allowed"})
    )
    yield Mutant(
        "replicas of secrets",
        "no-secret-replica",
        set_(SECRET, replicas=[{"region": "ap-south-1"}]),
        also=frozenset({"foreign-region-name"}),
    )
    yield Mutant("a backup of sessions", "no-snapshot", set_(CACHE, snapshot_retention_limit=7))
    yield Mutant(
        "a shared image",
        "public-sharing",
        adding(
            lambda options: aws.ec2.AmiLaunchPermission(
                "all", image_id="ami-0123456789abcdef0", group="all", opts=options
            )
        ),
        also=frozenset({"type-allowed"}),
    )


def _buckets() -> Iterator[Mutant]:
    yield Mutant(
        "a bare bucket",
        "bucket-complete",
        adding(_unencrypted_bucket),
        also=frozenset({"bucket-public-access"}),
    )
    yield Mutant(
        "recordings for ever",
        "bucket-retention",
        set_(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            rules=[{"id": "never", "status": "Disabled", "expiration": {"days": 30}}],
        ),
    )
    yield Mutant(
        "a bucket that may be public",
        "bucket-public-access",
        set_(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", restrict_public_buckets=False
        ),
    )
    yield Mutant("buckets by plain HTTP", "bucket-tls", unsaid(BUCKET_POLICY, "OnlyTls"))
    yield Mutant(
        "buckets on the internet",
        "bucket-endpoint",
        unsaid(BUCKET_POLICY, "OnlyThroughOurEndpoints"),
    )
    yield Mutant(
        "buckets for another region",
        "bucket-endpoint",
        unsaid(BUCKET_POLICY, "OnlyFromThisRegion"),
    )
    yield Mutant(
        "an endpoint rule turned round",
        "bucket-endpoint",
        wording(
            BUCKET_POLICY,
            lambda found: json.loads(
                json.dumps(found).replace(
                    '"StringNotEquals": {"aws:VpceAccount"', '"StringEquals": {"aws:VpceAccount"'
                )
            ),
        ),
    )
    yield Mutant(
        "buckets that may be replicated",
        "bucket-replication",
        unsaid(BUCKET_POLICY, "NoReplication"),
    )
    yield Mutant(
        "recordings under a foreign key",
        "bucket-foreign-key",
        unsaid(BUCKET_POLICY, "OnlyKeysOfTheRegion"),
    )
    yield Mutant(
        "alarms that anybody sends",
        "policy-outsider",
        also("aws:sns/topicPolicy:TopicPolicy", allow("sns:Publish", Principal="*")),
    )


def _network() -> Iterator[Mutant]:
    world = {"cidr_blocks": ["0.0.0.0/0"]}
    yield Mutant(
        "SSH for the world",
        "world-open-port",
        _opening(protocol="tcp", from_port=22, to_port=22, **world),
    )
    yield Mutant(
        "SSH for the world by IPv6",
        "world-open-port",
        _opening(protocol="tcp", from_port=22, to_port=22, ipv6_cidr_blocks=["::/0"]),
    )
    yield Mutant(
        "a rule beside the group",
        "world-open-port",
        adding(
            lambda options: aws.vpc.SecurityGroupIngressRule(
                "beside",
                security_group_id="sg-1",
                ip_protocol="tcp",
                from_port=6379,
                to_port=6379,
                cidr_ipv4="0.0.0.0/0",
                opts=options,
            )
        ),
    )
    yield Mutant(
        "all protocols",
        "world-open-protocol",
        _opening(protocol="-1", from_port=0, to_port=0, **world),
    )
    yield Mutant(
        "an open default group",
        "default-group-empty",
        set_(
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            ingress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "self": True}],
        ),
    )
    yield Mutant(
        "a peering",
        "no-road-out",
        adding(
            lambda options: aws.ec2.VpcPeeringConnection(
                "road", vpc_id="vpc-1", peer_vpc_id="vpc-2", opts=options
            )
        ),
        also=frozenset({"type-allowed"}),
    )
    yield Mutant(
        "an endpoint for all buckets",
        "endpoint-policy",
        set_("aws:ec2/vpcEndpoint:VpcEndpoint", policy=None),
    )
    yield Mutant(
        "a list of callers",
        "no-access-logs",
        set_(
            "aws:lb/loadBalancer:LoadBalancer",
            access_logs={"bucket": RECORDINGS, "enabled": True},
        ),
    )
    yield Mutant(
        "old TLS",
        "listener-tls",
        set_("aws:lb/listener:Listener", ssl_policy="ELBSecurityPolicy-2016-08"),
    )
    yield Mutant(
        "alarms to a stranger's server",
        "subscription-home",
        set_(
            "aws:sns/topicSubscription:TopicSubscription",
            protocol="https",
            endpoint="https://example.org/alarms",
        ),
    )


def _roles() -> Iterator[Mutant]:
    yield Mutant(
        "a role for another account",
        "role-trust",
        also(
            ROLE,
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            },
            property_="assume_role_policy",
        ),
        also=frozenset({"foreign-account"}),
    )
    yield Mutant(
        "a role that may do all",
        "role-actions",
        also(ROLE_POLICY, allow("s3:*")),
        also=frozenset({"software-read-only"}),
    )
    yield Mutant("no boundary", "role-boundary", set_(ROLE, permissions_boundary=None))
    yield Mutant(
        "a boundary without a fence",
        "role-boundary",
        unsaid("aws:iam/policy:Policy", "OnlyThisRegion"),
    )
    yield Mutant("no fence", "role-fence", unsaid(ROLE_POLICY, "OnlyThisRegion"))
    yield Mutant(
        "a role that writes the software",
        "software-read-only",
        also(ROLE_POLICY, allow("s3:PutObject", f"arn:aws:s3:::{SOFTWARE}/*")),
    )


def _machines_and_records() -> Iterator[Mutant]:
    yield Mutant(
        "metadata for anybody",
        "metadata-token",
        set_(TEMPLATE, metadata_options={"http_tokens": "optional"}),
    )
    yield Mutant("disks that stay", "disk-ends", _disk(delete_on_termination="false"))
    yield Mutant("nobody knows what for", "holds-tag", set_(LOGS, tags={"Name": "x"}))
    yield Mutant("keys that a change deletes", "protected", protect_off(KEY))
    yield Mutant(
        "recordings that a change deletes", "protected", protect_off("aws:s3/bucket:Bucket")
    )
    yield Mutant("logs for ever", "log-retention", set_(LOGS, retention_in_days=None))
    yield Mutant(
        "flow logs into a bucket",
        "log-home",
        set_(
            "aws:ec2/flowLog:FlowLog",
            log_destination="arn:aws:s3:::flows-of-others",
            log_destination_type="s3",
            iam_role_arn=None,
        ),
    )


def _words() -> Iterator[Mutant]:
    yield Mutant("a misspelt key", "known-keys", changing(TEMPLATE, _typo))
    yield Mutant(
        "a policy that nobody can read yet",
        "document-seen",
        adding(_policy_of_the_unknown),
        preview=True,
    )
    yield Mutant(
        "a secret given away",
        "no-secret-export",
        doing(lambda: pulumi.export("password", pulumi.Output.secret("x"))),
    )
    yield Mutant(
        "a secret in the state",
        "no-secret-value",
        adding(
            lambda options: aws.secretsmanager.SecretVersion(
                "value", secret_id="x", secret_string=pulumi.Output.secret("x"), opts=options
            )
        ),
        also=frozenset({"type-allowed"}),
    )
    yield Mutant(
        "another stack's outputs",
        "no-stack-reference",
        doing(lambda: pulumi.StackReference("organization/inland-region/ap-south-1")),
        also=frozenset({"foreign-region-name"}),
    )
    yield Mutant(
        "a bucket of before",
        "no-lookup",
        adding(lambda options: aws.s3.Bucket.get("before", "some-bucket", opts=options)),
        also=frozenset({"bucket-complete", "bucket-public-access", "holds-tag", "protected"}),
    )


REGION_MUTANTS: Final[tuple[Mutant, ...]] = (
    *_place(),
    *_keys(),
    *_copies(),
    *_buckets(),
    *_network(),
    *_roles(),
    *_machines_and_records(),
    *_words(),
)
