"""Buckets: what their policies deny is tried, request by request, for what must not be possible.

Only denials that are understood to their last word take part (``infra.rules.denials``). What a
bucket lacks is said of the bucket, what its policy lets happen of the policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.conditions import Context
from infra.rules.denials import protecting
from infra.rules.iam import Request, Statement, Unreadable, decide, seen, statements
from infra.rules.identity import is_
from infra.rules.model import Graph, Resource, Scope, Value
from infra.rules.outsiders import ELSEWHERE, NOWHERE, STRANGER, outsiders, tests
from infra.rules.values import block, holds, maps

HOLDS: Final = "inland:holds"
_ACCESS_BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
_LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
_OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
_VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"
LONGEST_RECORDINGS: Final = 3650
"""Days; what a stack file may ask for at most."""
_BLOCKS: Final = (
    "blockPublicAcls",
    "blockPublicPolicy",
    "ignorePublicAcls",
    "restrictPublicBuckets",
)
_PLAIN: Final = {
    "s3:GetObject": "nobody/probe",
    "s3:PutObject": "nobody/probe",
    "s3:ListBucket": "",
    "s3:GetBucketPolicy": "",
}
"""What is asked of objects, and of the bucket itself."""
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
    """A bucket with the denials that guard it, as an insider of the account meets them."""

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
        for statement in self.found:
            for _, key, values in tests(statement):
                if key == "aws:sourcevpce":
                    context["aws:SourceVpce"] = values[0]
        return context


def held(resource: Resource) -> str | None:
    """What the tag says that a resource keeps."""
    value = block(resource.properties.get("tags")).get(HOLDS)
    return value if isinstance(value, str) else None


def parts(graph: Graph, bucket: Resource, type_: str) -> list[Resource]:
    """The resources of ``type_`` that are about this bucket."""
    return [
        found
        for found in graph.of(type_)
        if is_(found, "bucket", found.properties.get("bucket"), bucket)
    ]


def _name(bucket: Resource) -> Value:
    return bucket.properties.get("bucket")


def _policies(graph: Graph, scope: Scope) -> Iterator[_Policy]:
    """What can be judged: known, and a document."""
    for bucket in graph.of(types.BUCKET):
        for policy in parts(graph, bucket, types.BUCKET_POLICY):
            document = policy.properties.get("policy")
            name = _name(bucket)
            if not seen(document) or not isinstance(name, str):
                continue
            try:
                found = protecting(statements(document), policy, name, graph, scope)
                yield _Policy(bucket, policy.urn, name, found)
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
    """Recordings end, below every prefix and within a bound, and so do old versions of them."""
    for bucket in graph.of(types.BUCKET):
        rules = [
            rule
            for part in parts(graph, bucket, _LIFECYCLE)
            for rule in maps(part.properties.get("rules"))
            if rule.get("status") == "Enabled" and _of_all(rule)
        ]
        if held(bucket) == "software" or not parts(graph, bucket, _LIFECYCLE):
            continue
        if not any(_ends(block(rule.get("expiration")).get("days")) for rule in rules):
            yield bucket.urn, f"no rule expires all its objects within {LONGEST_RECORDINGS} days"
        old = (block(rule.get("noncurrentVersionExpiration")) for rule in rules)
        if _versioned(graph, bucket) and not any(_ends(one.get("noncurrentDays")) for one in old):
            yield bucket.urn, f"no rule ends all old versions within {LONGEST_RECORDINGS} days"


def _of_all(rule: Mapping[str, Value]) -> bool:
    """A rule for every object: by no prefix, tag or size."""
    chosen = {name: value for name, value in block(rule.get("filter")).items() if holds(value)}
    return not chosen and not holds(rule.get("prefix"))


def _ends(days: Value) -> bool:
    return isinstance(days, int | float) and 1 <= days <= LONGEST_RECORDINGS


def _versioned(graph: Graph, bucket: Resource) -> bool:
    return any(
        block(part.properties.get("versioningConfiguration")).get("status") != "Disabled"
        for part in parts(graph, bucket, _VERSIONING)
    )


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
    for policy in _policies(graph, scope):
        plain = {**policy.home(scope), "aws:SecureTransport": "false"}
        for action, key in _PLAIN.items():
            if policy.allows(scope, action, key, plain):
                yield policy.urn, f"policy lets {action} pass without TLS"


def bucket_endpoint(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Objects are reached through the endpoint of this network only: not from the internet, and
    not through an endpoint of another. Bundles may be put from outside; recordings may not."""
    for policy in _policies(graph, scope):
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


def bucket_replication(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """No role of the account may copy the bucket elsewhere."""
    asked = {
        "s3:PutReplicationConfiguration": "",
        "s3:ReplicateObject": "nobody/probe",
        "s3:InitiateReplication": "nobody/probe",
    }
    for policy in _policies(graph, scope):
        if not policy.recordings:
            continue
        for action, key in asked.items():
            if policy.allows(scope, action, key, policy.home(scope)):
                yield policy.urn, f"policy lets {action} happen"


def bucket_foreign_key(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Nobody seals a recording with a key of another account."""
    for policy in _policies(graph, scope):
        if not policy.recordings:
            continue
        for region in sorted(scope.regions):
            key = f"arn:aws:kms:{region}:{STRANGER}:key/any"
            context = {
                **policy.home(scope),
                "s3:x-amz-server-side-encryption": "aws:kms",
                "s3:x-amz-server-side-encryption-aws-kms-key-id": key,
            }
            if policy.allows(scope, "s3:PutObject", "nobody/probe", context):
                yield policy.urn, "policy lets objects be sealed with another account's key"


_GUARDED: Final = frozenset(
    {
        types.BUCKET,
        types.BUCKET_POLICY,
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sqs/queuePolicy:QueuePolicy",
        types.QUEUE,
        types.SECRET,
        types.TOPIC,
    }
)
"""Whose ``policy`` says who may come."""


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
    for who in outsiders(found, scope):
        yield f"policy lets {who} in"
