"""How to break a rule on a small stack: one property, one resource, one statement."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from infra.rules.model import Graph, Invoke
from tests.infra.rules.small_stacks import (
    ACCOUNT,
    FENCE,
    KEY_POLICY,
    PROVIDER,
    RECORDINGS,
    REGION,
    SOFTWARE,
    allow,
    bucket_policy,
    deny,
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
MANAGED: Final = "aws:iam/policy:Policy"
LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
PROVIDERS: Final = "pulumi:providers:aws"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
SECRET: Final = "aws:secretsmanager/secret:Secret"
ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"


def set_(type_: str, name: str | None = None, /, **properties: Any) -> Spoil:
    return lambda graph: spoil(graph, type_, name, **properties)


def add(type_: str, /, **properties: Any) -> Spoil:
    return lambda graph: plus(graph, type_, properties)


def drop(type_: str, name: str | None = None) -> Spoil:
    return lambda graph: minus(graph, type_, name)


def having(type_: str, name: str | None = None, /, **options: Any) -> Spoil:
    return lambda graph: swap(graph, replace(named(graph, type_, name), **options))


def having_and_set(type_: str, name: str, value: Any) -> Spoil:
    """A property that was computed from another resource of the stack."""
    return lambda graph: having(type_, dependencies={name: (PROVIDER,)})(
        spoil(graph, type_, **{name: value})
    )


def attached(graph: Graph) -> Graph:
    """A policy of the stack that allows everything of a service, and the role that has it."""
    name = "wide"
    wide = plus(graph, "aws:iam/policy:Policy", {"name": name, "policy": document(allow("sqs:*"))})
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    return plus(
        wide,
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {"role": "inland-edge", "policyArn": arn},
    )


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


def denying(sid: str, **more: Any) -> Spoil:
    """A denial of the recordings' policy with something more in it, or something else."""
    found = [{**one, **more} if one["Sid"] == sid else one for one in bucket_policy(RECORDINGS)]
    kept = [{key: value for key, value in one.items() if value is not None} for one in found]
    return set_(POLICY, "recordings", policy=document(*kept))


def by_account(
    account: str | list[str], operator: str = "StringNotEquals", region: str = REGION
) -> Spoil:
    """The recordings' policy names no endpoint, but whose it is and in which region it stands."""
    network = {"aws:SourceVpcArn": f"arn:aws:ec2:{region}:{ACCOUNT}:vpc/*"}
    objects = f"arn:aws:s3:::{RECORDINGS}/*"
    conditions = (
        {operator: {"aws:VpceAccount": account}},
        {"Null": {"aws:SourceVpcArn": "false"}, "StringNotLike": network},
    )
    ways = [
        deny(["s3:GetObject*", "s3:PutObject*"], objects, Condition=condition)
        for condition in conditions
    ]
    left = [one for one in bucket_policy(RECORDINGS) if one["Sid"] != "Endpoint"]
    return set_(POLICY, "recordings", policy=document(*left, *ways))


def words_also(statement: dict[str, Any]) -> Spoil:
    """The software bucket's policy says one thing more."""
    policy = document(*bucket_policy(SOFTWARE)[:1], statement)
    return set_(POLICY, "software", policy=policy)


def may(*statements: dict[str, Any]) -> Spoil:
    return set_(ROLE_POLICY, policy=document(*statements, FENCE))


def fenced_by(**more: Any) -> Spoil:
    """The role's fence has something more in it, or something else."""
    fence = {key: value for key, value in {**FENCE, **more}.items() if value is not None}
    return set_(ROLE_POLICY, policy=document(fence))


def bounded_by(**more: Any) -> Spoil:
    """The same of the boundary's."""
    fence = {key: value for key, value in {**FENCE, **more}.items() if value is not None}
    return set_(MANAGED, policy=document(allow("s3:PutObject"), fence))


def trusts(principal: Any, **more: Any) -> Spoil:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return set_(ROLE, assumeRolePolicy=document(statement))


def key_also(principal: Any, **more: Any) -> Spoil:
    own = json.loads(KEY_POLICY)["Statement"]
    also = allow("kms:Decrypt", Principal=principal) | more
    left = {name: value for name, value in also.items() if value is not None}
    return set_(KEY, policy=document(*own, left))


def opens(protocol: str, low: int | None, high: int | None, *sources: str) -> Spoil:
    """The security group's one rule is another; the world is its source unless others are said."""
    blocks = sources or ("0.0.0.0/0",)
    kind = "ipv6CidrBlocks" if ":" in blocks[0] else "cidrBlocks"
    rule = {"protocol": protocol, "fromPort": low, "toPort": high, kind: list(blocks)}
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
