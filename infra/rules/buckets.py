"""Buckets: their policies are evaluated, request by request, for what must not be possible.

A bucket is found by its name or by what its policy was computed from. What a bucket lacks is said
of the bucket, what its policy lets happen of the policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.conditions import Context
from infra.rules.iam import Request, Statement, Unreadable, decide, seen, statements
from infra.rules.model import Graph, Resource, Scope, Value
from infra.rules.outsiders import ELSEWHERE, NOWHERE, STRANGER, outsiders
from infra.rules.values import block, comes_from, entries, holds, maps

HOLDS: Final = "inland:holds"
_ACCESS_BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
_LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
_OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
_BLOCKS: Final = (
    "blockPublicAcls",
    "blockPublicPolicy",
    "ignorePublicAcls",
    "restrictPublicBuckets",
)
_SECURE: Final[Context] = {"aws:SecureTransport": "true", "aws:SourceIp": "203.0.113.7"}
"""From somewhere on the internet, by HTTPS."""


def _through(scope: Scope, region: str) -> dict[str, str]:
    """By HTTPS through an endpoint of a network of the account, in ``region``."""
    return {
        "aws:SecureTransport": "true",
        "aws:SourceVpc": "vpc-11111111111111111",
        "aws:SourceVpcArn": f"arn:aws:ec2:{region}:{scope.account_id}:vpc/vpc-11111111111111111",
        "aws:SourceVpce": "vpce-11111111111111111",
        "aws:VpceAccount": scope.account_id,
    }


@dataclass(frozen=True, slots=True)
class _Policy:
    """A bucket with the statements that guard it, as an insider of the account meets them."""

    bucket: Resource
    urn: str
    name: str
    found: list[Statement]

    @property
    def recordings(self) -> bool:
        return held(self.bucket) != "software"

    def allows(self, scope: Scope, action: str, key: str, context: Context) -> bool:
        """Whether the policy would let a role of the account, which may do all, do ``action``."""
        arn = f"arn:aws:s3:::{self.name}"
        insider = f"arn:aws:iam::{scope.account_id}:role/any"
        who = {"aws:PrincipalAccount": scope.account_id, "aws:PrincipalArn": insider}
        request = Request(
            action, f"{arn}/{key}" if key else arn, insider, context={**who, **context}
        )
        return decide(self.found, request) != "deny"

    def home(self, scope: Scope) -> Context:
        """By HTTPS through the endpoint that the policy itself names, whatever that is."""
        context = _through(scope, sorted(scope.regions)[0])
        for key, value in self.conditions():
            if key in ("aws:sourcevpce", "aws:sourcevpc"):
                context["aws:SourceVpce" if key.endswith("e") else "aws:SourceVpc"] = value
        return context

    def conditions(self) -> Iterator[tuple[str, str]]:
        """Every condition key of the policy in lower case, with each of its values."""
        for statement in self.found:
            for tests in block(statement.get("Condition")).values():
                for key, values in block(tests).items():
                    yield from ((key.lower(), str(value)) for value in entries(values))

    def prefixes(self) -> list[str]:
        """A key below each prefix that the statements name, and one that none names."""
        start = f"arn:aws:s3:::{self.name}/"
        named = {
            str(pattern).removeprefix(start).replace("*", "probe").replace("?", "x")
            for statement in self.found
            for element in ("Resource", "NotResource")
            for pattern in entries(statement.get(element))
            if str(pattern).startswith(start)
        }
        return sorted(named | {"nobody/probe"})


def held(resource: Resource) -> str | None:
    """What the tag says that a resource keeps."""
    value = block(resource.properties.get("tags")).get(HOLDS)
    return value if isinstance(value, str) else None


def parts(graph: Graph, bucket: Resource, type_: str) -> list[Resource]:
    """The resources of ``type_`` that are about this bucket."""
    return [
        found
        for found in graph.of(type_)
        if bucket.urn in (found.dependencies or {}).get("bucket", ())
        or (found.properties.get("bucket") or "") == _name(bucket)
    ]


def _name(bucket: Resource) -> Value:
    return bucket.properties.get("bucket")


def _policies(graph: Graph) -> Iterator[_Policy]:
    """What can be judged: known, and a document."""
    for bucket in graph.of(types.BUCKET):
        for policy in parts(graph, bucket, types.BUCKET_POLICY):
            document = policy.properties.get("policy")
            name = _name(bucket)
            if not seen(document) or not isinstance(name, str):
                continue
            try:
                yield _Policy(bucket, policy.urn, name, statements(document))
            except Unreadable:
                continue


def bucket_complete(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every bucket has a policy, owner-only access, a key and an end of its objects."""
    for bucket in graph.of(types.BUCKET):
        wanted = {types.BUCKET_POLICY: "policy", _ENCRYPTION: "key", _OWNERSHIP: "owner"}
        if held(bucket) != "software":
            wanted[_LIFECYCLE] = "end of retention"
        for type_, what in wanted.items():
            if len(parts(graph, bucket, type_)) != 1:
                yield bucket.urn, f"has {len(parts(graph, bucket, type_))} of its {what} ({type_})"
    for rule in graph.of(_OWNERSHIP):
        if block(rule.properties.get("rule")).get("objectOwnership") != "BucketOwnerEnforced":
            yield rule.urn, "rule.objectOwnership lets access lists decide"


def bucket_retention(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Recordings end: some enabled rule expires objects, and old versions of them."""
    for bucket in graph.of(types.BUCKET):
        rules = [
            rule
            for part in parts(graph, bucket, _LIFECYCLE)
            for rule in maps(part.properties.get("rules"))
            if rule.get("status") == "Enabled"
        ]
        if held(bucket) == "software" or not parts(graph, bucket, _LIFECYCLE):
            continue
        if not any(holds(block(rule.get("expiration")).get("days")) for rule in rules):
            yield bucket.urn, "no rule expires its objects"


def bucket_public_access(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """All four blocks of public access, on every bucket."""
    for bucket in graph.of(types.BUCKET):
        blocks = parts(graph, bucket, _ACCESS_BLOCK)
        if not blocks:
            yield bucket.urn, "has no public access block"
        for found in blocks:
            for name in _BLOCKS:
                if found.properties.get(name) is not True:
                    yield found.urn, f"{name} is not set"


def bucket_tls(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Plain HTTP is refused, whoever asks."""
    for policy in _policies(graph):
        plain = {**policy.home(scope), "aws:SecureTransport": "false"}
        for action in ("s3:GetObject", "s3:PutObject"):
            if policy.allows(scope, action, "nobody/probe", plain):
                yield policy.urn, f"policy lets {action} pass without TLS"


def bucket_endpoint(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Objects are reached through the endpoint of this network only: not from the internet, and
    not through an endpoint of another. Bundles may be put from outside; recordings may not."""
    for policy in _policies(graph):
        actions = ["s3:GetObject", "s3:GetObjectVersion"]
        if policy.recordings:
            actions.append("s3:PutObject")
        for action in actions:
            if policy.allows(scope, action, "nobody/probe", _SECURE):
                yield policy.urn, f"policy lets {action} come from the internet"
            if policy.allows(scope, action, "nobody/probe", {**_SECURE, **ELSEWHERE}):
                yield policy.urn, f"policy lets {action} come through another network's endpoint"
            if policy.allows(scope, action, "nobody/probe", _through(scope, NOWHERE)):
                yield policy.urn, f"policy lets {action} come from another region of the account"
        resource = graph.resources[policy.urn]
        named = any(key == "aws:sourcevpce" for key, _ in policy.conditions())
        if named and not comes_from(resource, "policy", types.ENDPOINT):
            yield policy.urn, "policy names an endpoint that is not of this stack"


def bucket_replication(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """No role of the account may copy the bucket elsewhere."""
    asked = {
        "s3:PutReplicationConfiguration": "",
        "s3:ReplicateObject": "nobody/probe",
        "s3:InitiateReplication": "nobody/probe",
    }
    for policy in _policies(graph):
        if not policy.recordings:
            continue
        for action, key in asked.items():
            if policy.allows(scope, action, key, policy.home(scope)):
                yield policy.urn, f"policy lets {action} happen"


def bucket_foreign_key(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Nobody seals a recording with a key of another account, below any prefix."""
    for policy in _policies(graph):
        if not policy.recordings:
            continue
        for region in sorted(scope.regions):
            key = f"arn:aws:kms:{region}:{STRANGER}:key/any"
            context = {
                **policy.home(scope),
                "s3:x-amz-server-side-encryption": "aws:kms",
                "s3:x-amz-server-side-encryption-aws-kms-key-id": key,
            }
            for prefix in policy.prefixes():
                if policy.allows(scope, "s3:PutObject", prefix, context):
                    yield policy.urn, f"policy lets {prefix} be sealed with another account's key"


_GUARDED: Final = {
    types.BUCKET_POLICY: "s3:GetObject",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "secretsmanager:GetSecretValue",
    "aws:sns/topicPolicy:TopicPolicy": "sns:Publish",
    "aws:sqs/queuePolicy:QueuePolicy": "sqs:ReceiveMessage",
    types.QUEUE: "sqs:ReceiveMessage",
    types.SECRET: "secretsmanager:GetSecretValue",
    types.TOPIC: "sns:Publish",
}
"""Whose ``policy`` says who may come, and what an outsider would want."""


def policy_outsider(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Buckets, topics, queues and secrets are for this account only."""
    document = resource.properties.get("policy")
    if resource.type not in _GUARDED or not holds(document) or not seen(document):
        return
    try:
        found = statements(document)
    except Unreadable as error:
        yield f"policy {error}"
        return
    anywhere = [
        {key: value for key, value in one.items() if key not in ("Resource", "NotResource")}
        for one in found
    ]
    action = _GUARDED[resource.type]
    for who in outsiders(anywhere, scope, action, "*"):
        yield f"policy lets {who} do {action}"
