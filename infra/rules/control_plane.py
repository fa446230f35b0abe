"""The control plane: it holds no data of a caller, and has nowhere to put any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.buckets import held
from infra.rules.iam import Request, Statement, decide
from infra.rules.model import Graph, Resource, Scope
from infra.rules.roles import role_statements
from infra.rules.values import entries

_NOWHERE_TO_KEEP: Final = (
    "aws:dax/",
    "aws:docdb/",
    "aws:dsql/",
    "aws:dynamodb/",
    "aws:efs/",
    "aws:elasticache/",
    "aws:elasticsearch/",
    "aws:fsx/",
    "aws:keyspaces/",
    "aws:kinesis/",
    "aws:memorydb/",
    "aws:msk/",
    "aws:neptune/",
    "aws:opensearch/",
    "aws:rds/",
    "aws:redshift/",
    "aws:s3tables/",
    "aws:sqs/",
    "aws:timestreamwrite/",
    "aws:ebs/volume:",
)
"""Tables, caches, queues, streams, shared disks: what could hold what a caller said."""
_WRITES: Final = ("s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy", "s3:PutObjectAcl")


def control_plane_holds_nothing(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No table, cache, queue or disk, and no bucket but the one for software."""
    if scope.kind != "control-plane":
        return
    if resource.type.startswith(_NOWHERE_TO_KEEP):
        yield f"{resource.type} could hold personal data"
    if resource.type == types.BUCKET and held(resource) != "software":
        yield f"it holds {held(resource) or 'what nobody says'}; only software may be kept here"


def software_read_only(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """No role of the stack writes where nodes take their software from."""
    for bucket in graph.of(types.BUCKET):
        name = bucket.properties.get("bucket")
        if held(bucket) != "software" or not isinstance(name, str):
            continue
        for role, found in role_statements(graph):
            for action in _WRITES:
                if _may(found, action, f"arn:aws:s3:::{name}", scope):
                    yield role.urn, f"may do {action} in {name}, which nodes install from"


def _may(found: list[Statement], action: str, bucket: str, scope: Scope) -> bool:
    named = {
        str(pattern).replace("*", "probe").replace("?", "x")
        for statement in found
        for pattern in entries(statement.get("Resource"))
    }
    below = {asked for asked in named if asked.startswith(f"{bucket}/")}
    contexts = [{"aws:RequestedRegion": region} for region in scope.regions]
    return any(
        decide(found, Request(action, asked, context=context)) == "allow"
        for context in contexts
        for asked in ({bucket} if "Bucket" in action else {f"{bucket}/software/probe.tar", *below})
    )


def listener_tls(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """What a load balancer answers itself it answers by TLS 1.2 or later; plain HTTP redirects."""
    if resource.type != "aws:lb/listener:Listener":
        return
    protocol = resource.properties.get("protocol")
    if protocol in ("HTTPS", "TLS"):
        policy = str(resource.properties.get("sslPolicy"))
        if not policy.startswith(("ELBSecurityPolicy-TLS13-1-2", "ELBSecurityPolicy-TLS13-1-3")):
            yield f"sslPolicy is {policy}, not one for TLS 1.2 and 1.3"
    elif protocol == "HTTP":
        actions = resource.properties.get("defaultActions") or []
        if not all(isinstance(one, dict) and one.get("type") == "redirect" for one in actions):
            yield "answers plain HTTP with more than a redirect"
