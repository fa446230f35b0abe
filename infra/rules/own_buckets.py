"""What policies reach of S3: the stack's own buckets, by their whole names, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.rules import allowed_types as types
from infra.rules.iam import Statement, Unreadable, seen, statements
from infra.rules.identity import called
from infra.rules.model import Graph, Scope
from infra.rules.outsiders import within_account
from infra.rules.roles import attached, granted
from infra.rules.values import entries

_S3_ARN = re.compile(r"arn:aws[a-z-]*:s3:::([^/*?]+)(?:/.*)?")


def own_bucket(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Roles reach the stack's buckets only. A boundary, which gives no right, may say ``*``."""
    boundaries = _boundaries(graph)
    for resource in graph.of(types.ROLE, types.ROLE_POLICY, types.MANAGED_POLICY):
        everything = resource.urn in boundaries
        for name, document in granted(resource):
            if not seen(document):
                continue
            for wrong in _beyond(_allowed(document), graph, scope, everything=everything):
                yield resource.urn, f"{name} reaches {wrong}"


def endpoint_policy(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Through an endpoint no node reaches what is another account's, with whatever credentials."""
    for resource in graph.of(types.ENDPOINT):
        document = resource.properties.get("policy")
        if document is None:
            yield resource.urn, "policy is not set: what is anybody's could be reached"
            continue
        if not seen(document):
            continue
        try:
            found = statements(document)
        except Unreadable as error:
            yield resource.urn, f"policy {error}"
            continue
        for statement in found:
            if statement.get("Effect") == "Deny" or within_account(statement, scope):
                continue
            resources = entries(statement.get("Resource"))
            foreign = [str(one) for one in resources if not _own(str(one), graph)]
            if foreign or not resources:
                yield resource.urn, f"policy reaches {', '.join(foreign) or 'all but a few'}"


def _boundaries(graph: Graph) -> set[str]:
    """Managed policies that no role is given."""
    found = [attached(graph, one) for one in graph.of(types.ROLE_ATTACHMENT)]
    given = {policy.urn for policy in found if policy is not None}
    return {policy.urn for policy in graph.of(types.MANAGED_POLICY)} - given


def _allowed(document: object) -> list[Statement]:
    try:
        return [one for one in statements(document) if one.get("Effect") != "Deny"]
    except Unreadable:
        return []  # another rule refuses it


def _beyond(
    found: list[Statement], graph: Graph, scope: Scope, *, everything: bool
) -> Iterator[str]:
    for statement in found:
        if within_account(statement, scope):
            continue
        resources = [str(one) for one in entries(statement.get("Resource"))]
        for named in resources:
            if ":s3:" in named and not _own(named, graph):
                yield f"{named}, which is no bucket of this stack"
        if everything or not any(map(_of_s3, entries(statement.get("Action")))):
            continue
        if "NotResource" in statement or "*" in resources or not resources:
            yield "buckets of others"


def _of_s3(action: object) -> bool:
    service = str(action).lower().partition(":")[0]
    return service.startswith("s3") or "*" in service or "?" in service


def _own(arn: str, graph: Graph) -> bool:
    match = _S3_ARN.fullmatch(arn)
    return match is not None and any(
        match[1] in called(bucket, "bucket") for bucket in graph.of(types.BUCKET)
    )
