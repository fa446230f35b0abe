"""Ways round the rules: a right word with an exception, a right reference with another value."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from tests.infra.mutants.data_mutants import BUCKET_POLICY, CACHE, KEY, LOGS, RECORDINGS, TEMPLATE
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
    options_set,
    set_,
    wording,
)
from tests.infra.mutants.mutant import Mutant

BUCKET: Final = "aws:s3/bucket:Bucket"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
GROUP: Final = "aws:autoscaling/group:Group"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
POLICY: Final = "aws:iam/policy:Policy"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
WIDE: Final = f"arn:aws:iam::{ACCOUNT}:policy/Wide"
ELSEWHERE: Final = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/elsewhere"


def changed(type_: str, sid: str, **elements: Any) -> Spoil:
    """One statement of documents has other elements."""
    return wording(
        type_,
        lambda found: [{**one, **elements} if one.get("Sid") == sid else one for one in found],
    )


def excepting(type_: str, sid: str, **conditions: Any) -> Spoil:
    """One statement of documents has conditions more."""
    return wording(
        type_,
        lambda found: [
            {**one, "Condition": {**one["Condition"], **conditions}}
            if one.get("Sid") == sid
            else one
            for one in found
        ],
    )


def believed(type_: str, name: str, value: str, of: str = "") -> Spoil:
    """A property waits for what it waited for, and names another."""

    def change(found: Properties, _: ResourceOptions) -> None:
        found[name] = pulumi.Output.all(found[name]).apply(lambda _: value)

    return changing(type_, change, of)


def _user_data(text: str) -> Spoil:
    return set_(TEMPLATE, "edge", user_data=base64.b64encode(text.encode()).decode())


def _wrapped(text: str) -> str:
    data = gzip.compress(f"{[number * 7919 for number in range(60)]} {text}".encode(), mtime=0)
    lines = base64.encodebytes(data).decode().splitlines()
    return "#cloud-config\nwrite_files:\n- content: |\n    " + "\n    ".join(lines) + "\n"


def _policies() -> Iterator[Mutant]:
    region = "aws:RequestedRegion"
    yield Mutant(
        "a fence by a pattern",
        "role-fence",
        changed(
            ROLE_POLICY, "OnlyThisRegion", Condition={"StringNotLike": {region: "*-central-1"}}
        ),
    )
    yield Mutant(
        "a fence but for who has a tag",
        "role-fence",
        excepting(
            ROLE_POLICY,
            "OnlyThisRegion",
            StringNotEquals={region: "eu-central-1", "aws:PrincipalTag/free": "yes"},
        ),
    )
    yield Mutant(
        "a boundary but for messages",
        "role-boundary",
        changed(POLICY, "OnlyThisRegion", NotAction=["iam:*", "sns:Publish"]),
    )
    yield Mutant(
        "a key for an organisation",
        "key-policy",
        also(
            KEY,
            allow(
                "kms:Decrypt",
                Principal="*",
                Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1a2b3c4d5e"}},
            ),
        ),
        also=frozenset({"key-use"}),
    )
    yield Mutant(
        "alarms that another account reads",
        "policy-outsider",
        also(
            TOPIC_POLICY,
            allow("sns:Subscribe", Principal={"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}),
        ),
        also=frozenset({"foreign-account"}),
    )
    yield Mutant(
        "an endpoint for a foreign bucket",
        "endpoint-policy",
        also(ENDPOINT, allow("s3:PutObject", "arn:aws:s3:::insurer-exchange/*", Principal="*")),
    )
    yield Mutant(
        "a role for a foreign bucket",
        "own-bucket",
        also(ROLE_POLICY, allow("s3:PutObject", "arn:aws:s3:::insurer-exchange/*")),
    )
    yield Mutant(
        "a role that takes another account's role",
        "role-actions",
        also(ROLE_POLICY, allow("sts:AssumeRole", "arn:aws:iam::44445555666?:role/x")),
        also=frozenset({"foreign-account"}),
    )
    address = {"aws:SourceIp": "203.0.113.0/24"}
    for sid, rule in (("OnlyTls", "bucket-tls"), ("OnlyThroughOurEndpoints", "bucket-endpoint")):
        yield Mutant(
            f"{sid} but for an address",
            rule,
            excepting(BUCKET_POLICY, sid, NotIpAddress=address),
        )


def _references() -> Iterator[Mutant]:
    yield Mutant(
        "a boundary of nobody here",
        "role-boundary",
        believed(ROLE, "permissions_boundary", WIDE, "edge"),
    )
    yield Mutant(
        "logs under a key of nobody here", "own-key", believed(LOGS, "kms_key_id", ELSEWHERE)
    )
    yield Mutant(
        "machines of another template",
        "own-reference",
        set_(GROUP, "edge", launch_template={"id": "lt-0123456789abcdef0", "version": "1"}),
    )
    yield Mutant(
        "calls for somebody else's machines",
        "own-reference",
        set_(
            "aws:lb/listener:Listener",
            "ingress-sips",
            default_actions=[
                {
                    "type": "forward",
                    "target_group_arn": "arn:aws:elasticloadbalancing:eu-central-1:"
                    f"{ACCOUNT}:targetgroup/others/0123456789abcdef",
                }
            ],
        ),
    )
    yield Mutant(
        "subnets of nobody here",
        "own-reference",
        believed("aws:elasticache/subnetGroup:SubnetGroup", "subnet_ids", "subnet-0"),
    )
    yield Mutant(
        "a login on machines",
        "no-side-door",
        set_(TEMPLATE, key_name="ops"),
        also=frozenset({"known-properties"}),
    )
    yield Mutant("a class of logs", "known-properties", set_(LOGS, log_group_class="STANDARD"))


def _roads() -> Iterator[Mutant]:
    yield Mutant(
        "routes that a gateway writes",
        "no-road-out",
        set_("aws:ec2/routeTable:RouteTable", propagating_vgws=["vgw-0123456789abcdef0"]),
    )
    yield Mutant(
        "a name that leads to an address",
        "record-home",
        adding(
            lambda options: aws.route53.Record(
                "away",
                name="sip2.eu-central-1.eea.example.org",
                type="A",
                ttl=60,
                zone_id="Z0EXAMPLEEEA",
                records=["203.0.113.7"],
                opts=options,
            )
        ),
    )

    def neighbours(found: Properties, _: ResourceOptions) -> None:
        rule = {"protocol": "tcp", "from_port": 0, "to_port": 65_535, "cidr_blocks": ["10.0.0.0/8"]}
        found["ingress"] = [*(found.get("ingress") or []), rule]

    yield Mutant(
        "neighbours of nobody here",
        "inbound-source",
        changing("aws:ec2/securityGroup:SecurityGroup", neighbours, "edge"),
    )


def _options() -> Iterator[Mutant]:
    yield Mutant(
        "a key policy that stays as it was",
        "ignored-changes",
        options_set(KEY, ignore_changes=["policy"]),
    )
    yield Mutant("a bucket of somebody", "plain-options", options_set(BUCKET, import_=RECORDINGS))
    yield Mutant("logs that are left", "plain-options", options_set(LOGS, retain_on_delete=True))
    yield Mutant("an old plugin", "plain-options", options_set(LOGS, version="6.0.0"))
    yield Mutant(
        "a plugin of somebody",
        "plain-options",
        options_set(PROVIDER, plugin_download_url="https://example.org/plugins"),
    )
    yield Mutant(
        "a component from another process",
        "plain-options",
        adding(
            lambda _: pulumi.ComponentResource("inland:region:Network", "other", {}, None, True)
        ),
    )
    yield Mutant(
        "a resource that calls itself a component",
        "type-allowed",
        adding(
            lambda options: pulumi.CustomResource("inland:region:Network", "other", {}, options)
        ),
        also=frozenset({"explicit-provider"}),
    )
    yield Mutant(
        "requests through a proxy",
        "provider-region",
        set_(PROVIDER, https_proxy="http://proxy.example.org:3128"),
    )


def _rest() -> Iterator[Mutant]:
    never = {"id": "r", "status": "Enabled", "expiration": {"days": 30}}
    yield Mutant(
        "recordings that end below one prefix",
        "bucket-retention",
        set_(LIFECYCLE, "recordings", rules=[{**never, "filter": {"prefix": "never/"}}]),
    )
    yield Mutant(
        "a tenant that reads all keys by a permission",
        "cache-login",
        set_(
            "aws:elasticache/user:User",
            access_string="on %RW~* ~inland:clinic:* resetchannels -@all +hget",
        ),
    )
    yield Mutant(
        "recordings that call themselves software",
        "holds-tag",
        set_(BUCKET, "recordings", tags={"inland:holds": "software"}),
        also=frozenset({"software-read-only"}),
    )
    yield Mutant(
        "another region, escaped",
        "foreign-region-name",
        _user_data('#cloud-config\n{"to": "\\u0075s-east-2"}'),
    )
    yield Mutant(
        "another region, wrapped", "foreign-region-name", _user_data(_wrapped("to us-east-2"))
    )
    yield Mutant(
        "a stranger's server with a control plane's name",
        "foreign-region-name",
        _user_data(json.dumps({"report": "https://a.us-east-1.attacker.example"})),
    )
    yield Mutant(
        "a log of the store",
        "no-side-door",
        set_(
            CACHE,
            log_delivery_configurations=[
                {
                    "destination": "x",
                    "destination_type": "cloudwatch-logs",
                    "log_format": "json",
                    "log_type": "slow-log",
                }
            ],
        ),
        also=frozenset({"known-properties"}),
    )


HOLE_MUTANTS: Final = (*_policies(), *_references(), *_roads(), *_options(), *_rest())
"""Ways round the rules, each with the rule that must see it."""
