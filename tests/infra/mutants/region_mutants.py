"""Ways to break each rule on the program of a region, and the rule that must see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, ResourceOptions

from tests.infra.mutants.data_mutants import DATA_MUTANTS, disk
from tests.infra.mutants.hole_mutants import HOLE_MUTANTS
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
    options_set,
    protect_off,
    provider_in,
    set_,
    unsaid,
)
from tests.infra.mutants.mutant import Mutant

KEY: Final = "aws:kms/key:Key"
LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
RECORDINGS: Final = f"inland-recordings-{ACCOUNT}-eu-central-1"
SOFTWARE: Final = f"inland-software-{ACCOUNT}-eu-central-1"


def _opening(**rule: Any) -> Spoil:
    def change(found: Properties, _: ResourceOptions) -> None:
        found["ingress"] = [*(found.get("ingress") or []), rule]

    return changing("aws:ec2/securityGroup:SecurityGroup", change, "edge")


def _typo(found: Properties, _: ResourceOptions) -> None:
    found["placement"] = {"tenancy": "dedicated", "host_resource_grp_arn": "x"}


def _policy_of_the_unknown(options: ResourceOptions) -> None:
    network = aws.ec2.Vpc("other", cidr_block="10.99.0.0/16", opts=options)
    policy = network.arn.apply(lambda arn: json.dumps({"Statement": [allow("ec2:RunX", arn)]}))
    aws.iam.RolePolicy("unknown", role="inland-eu-central-1-edge", policy=policy, opts=options)


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
        also=frozenset({"own-reference"}),
    )
    yield Mutant(
        "a copy to another region in a policy",
        "foreign-region-name",
        also(ROLE_POLICY, allow("s3:PutObject", f"arn:aws:s3:us-west-2:{ACCOUNT}:accesspoint/x")),
        also=frozenset({"own-bucket"}),
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
        also=frozenset({"own-reference"}),
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
        also=frozenset({"role-actions"}),
    )
    yield Mutant("no default tags", "default-tags", set_(PROVIDER, default_tags=None))


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
        also=frozenset({"own-reference"}),
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
        also=frozenset({"software-read-only", "own-bucket"}),
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
    yield Mutant("disks that stay", "disk-ends", disk(delete_on_termination="false"))
    yield Mutant("nobody knows what for", "holds-tag", set_(LOGS, tags={"Name": "x"}))
    yield Mutant(
        "an audit log that a change deletes",
        "protected",
        options_set("aws:cloudwatch/logGroup:LogGroup", of="audit-log", protect=False),
    )
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
    yield Mutant(
        "a misspelt key",
        "known-keys",
        changing(TEMPLATE, _typo),
        also=frozenset({"known-properties"}),
    )
    yield Mutant(
        "a policy that nobody can read yet",
        "document-seen",
        adding(_policy_of_the_unknown),
        preview=True,
        also=frozenset({"default-group-empty"}),
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
    *DATA_MUTANTS,
    *HOLE_MUTANTS,
    *_place(),
    *_network(),
    *_roles(),
    *_machines_and_records(),
    *_words(),
)
