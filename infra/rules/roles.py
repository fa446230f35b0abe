"""Roles: a boundary, a fence around the region, named actions, and nobody else's trust."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.fences import fenced
from infra.rules.iam import Statement, Unreadable, seen, statements
from infra.rules.identity import is_, named
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.outsiders import outsiders
from infra.rules.values import entries, holds, maps

_CEILING: Final = frozenset(
    {
        "acm:exportcertificate",
        "autoscaling:completelifecycleaction",
        "autoscaling:recordlifecycleactionheartbeat",
        "autoscaling:setinstanceprotection",
        "cloudwatch:putmetricdata",
        "elasticache:connect",
        "kms:decrypt",
        "kms:describekey",
        "kms:encrypt",
        "kms:generatedatakey",
        "logs:createlogstream",
        "logs:describeloggroups",
        "logs:describelogstreams",
        "logs:putlogevents",
        "route53:changeresourcerecordsets",
        "s3:deleteobject",
        "s3:getbucketlocation",
        "s3:getobject",
        "s3:listbucket",
        "s3:putobject",
        "secretsmanager:getsecretvalue",
    }
)
"""Every action that a role or a boundary may allow, in lower case. None takes another role, starts
anything, or sends to a queue, topic or stream."""
_UNPINNED: Final = frozenset({"ec2.amazonaws.com"})
"""EC2 names no source account when it takes a role for an instance, and takes it for instances of
the role's own account only."""
_TRUSTED: Final = _UNPINNED | {"vpc-flow-logs.amazonaws.com"}


def role_trust(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A role is taken by a named service or by the account itself."""
    if resource.type != types.ROLE:
        return
    document = resource.properties.get("assumeRolePolicy")
    found = _read(document)
    if found is None:
        if seen(document):
            yield "assumeRolePolicy is no policy"
        return
    for statement in found:
        principal = statement.get("Principal")
        services = entries(principal.get("Service")) if isinstance(principal, dict) else []
        for name in services:
            if name not in _TRUSTED and statement.get("Effect") != "Deny":
                yield f"assumeRolePolicy trusts {name}"
    for who in outsiders(found, scope, _UNPINNED):
        yield f"assumeRolePolicy trusts {who}"


def role_actions(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A role does what is on the list, by whole names, and has no policy that AWS words."""
    for name, document in granted(resource):
        for statement in _read(document) or []:
            if statement.get("Effect") == "Deny":
                continue
            if "NotAction" in statement:
                yield f"{name} allows all but a few actions"
            for action in entries(statement.get("Action")):
                if str(action).lower() not in _CEILING:
                    yield f"{name} allows {action}"
    attached = (
        [resource.properties.get("policyArn")] if resource.type == types.ROLE_ATTACHMENT else []
    )
    if resource.type == types.ROLE:
        attached += entries(resource.properties.get("managedPolicyArns"))
    for arn in attached:
        if isinstance(arn, str) and ":iam::aws:" in arn:
            yield f"{arn} is worded by AWS, who may change it"


def granted(resource: Resource) -> Iterator[tuple[str, Value]]:
    """The policies of an identity that a resource holds, each with the property that it is in."""
    if resource.type in (types.ROLE_POLICY, types.MANAGED_POLICY):
        yield "policy", resource.properties.get("policy")
    if resource.type == types.ROLE:
        for index, inline in enumerate(maps(resource.properties.get("inlinePolicies"))):
            yield f"inlinePolicies[{index}].policy", inline.get("policy")


def role_actions_managed(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """What is attached to a role is a policy of the stack."""
    for attachment in graph.of(types.ROLE_ATTACHMENT):
        arn = str(attachment.properties.get("policyArn"))
        if attached(graph, attachment) is None and ":iam::aws:" not in arn:
            yield attachment.urn, "policyArn is not a policy of this stack"
    for role in graph.of(types.ROLE):
        for arn in entries(role.properties.get("managedPolicyArns")):
            own = named(graph, role, "managedPolicyArns", arn, types.MANAGED_POLICY)
            if own is None and ":iam::aws:" not in str(arn):
                yield role.urn, "managedPolicyArns has a policy that is not of this stack"


def role_boundary(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every role has a permissions boundary of this stack, which fences the region."""
    for role in graph.of(types.ROLE):
        if not holds(role.properties.get("permissionsBoundary")):
            yield role.urn, "permissionsBoundary is not set"
            continue
        policy = _policy(graph, role, "permissionsBoundary")
        if policy is None:
            yield role.urn, "permissionsBoundary is not a policy of this stack"
            continue
        found = _read(policy.properties.get("policy"))
        if found is not None and not fenced(found, scope):
            yield policy.urn, "the boundary does not refuse other regions, all of it and always"


def role_fence(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every role denies itself other regions, by ``aws:RequestedRegion``."""
    for role in graph.of(types.ROLE):
        found = _of_role(graph, role)
        if found is None:
            continue  # not known: another rule refuses it
        if not fenced(found, scope):
            yield role.urn, "no policy of the role denies it other regions, all of it and always"


def _of_role(graph: Graph, role: Resource) -> list[Statement] | None:
    """All statements of a role's own and attached policies; None when one is not known."""
    found: list[Statement] = []
    documents: list[Value] = [document for _, document in granted(role)]
    for policy in graph.of(types.ROLE_POLICY):
        if is_(policy, "role", policy.properties.get("role"), role):
            documents.append(policy.properties.get("policy"))
    for attachment in graph.of(types.ROLE_ATTACHMENT):
        if is_(attachment, "role", attachment.properties.get("role"), role):
            policy_given = attached(graph, attachment)
            documents.append(policy_given and policy_given.properties.get("policy"))
    for document in documents:
        read = _read(document)
        if read is None and document is not None:
            return None
        found += read or []
    return found


def role_statements(graph: Graph) -> Iterator[tuple[Resource, list[Statement]]]:
    """Every role with what it is granted, as far as that is known."""
    for role in graph.of(types.ROLE):
        yield role, _of_role(graph, role) or []


def attached(graph: Graph, attachment: Resource) -> Resource | None:
    """The policy of the stack that an attachment gives to a role."""
    return _policy(graph, attachment, "policyArn")


def _policy(graph: Graph, resource: Resource, name: str) -> Resource | None:
    return named(graph, resource, name, resource.properties.get(name), types.MANAGED_POLICY)


def _read(document: Value) -> list[Statement] | None:
    if document is None or document is UNKNOWN or not seen(document):
        return None
    try:
        return statements(document)
    except Unreadable:
        return None
