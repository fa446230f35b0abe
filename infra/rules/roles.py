"""Roles: a boundary, a fence around the region, named actions, and nobody else's trust."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.iam import Request, Statement, Unreadable, decide, seen, statements
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.outsiders import NOWHERE, outsiders
from infra.rules.values import comes_from, entries, holds, maps

_FENCED: Final = (
    "s3:PutObject",
    "s3:CreateBucket",
    "sqs:SendMessage",
    "kms:ReplicateKey",
    "dynamodb:PutItem",
    "kinesis:PutRecord",
    "ec2:RunInstances",
    "ec2:CopySnapshot",
    "secretsmanager:ReplicateSecretToRegions",
    "bedrock:InvokeModel",
    "transcribe:StartTranscriptionJob",
    "logs:PutLogEvents",
)
"""By which data could leave for another region."""
_WIDE = re.compile(r"\*|[a-z0-9-]*[*?][a-z0-9*?-]*:.*|[a-z0-9-]+:\*+")
"""Everything, every service that fits, or everything of a service."""
_TRUSTED: Final = frozenset(
    {
        "ec2.amazonaws.com",
        "autoscaling.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
        "monitoring.rds.amazonaws.com",
        "events.amazonaws.com",
        "scheduler.amazonaws.com",
    }
)


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
        if statement.get("Effect") == "Deny":
            continue
        principal = statement.get("Principal")
        if principal == "*" or "NotPrincipal" in statement or not isinstance(principal, dict):
            yield "assumeRolePolicy trusts anybody"
            continue
        for name in entries(principal.get("Service")):
            if name not in _TRUSTED:
                yield f"assumeRolePolicy trusts {name}"
        for kind in sorted(set(principal) - {"Service", "AWS"}):
            yield f"assumeRolePolicy trusts a {kind} identity"
    people = [one for one in found if not _only_services(one)]
    for who in outsiders(people, scope, "sts:AssumeRole", "*"):
        yield f"assumeRolePolicy trusts {who}"


def _only_services(statement: Statement) -> bool:
    principal = statement.get("Principal")
    return isinstance(principal, dict) and set(principal) == {"Service"}


def role_actions(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No role may do everything of a service, and none has a policy that AWS words."""
    for name, document in _granted(resource):
        for statement in _read(document) or []:
            if statement.get("Effect") == "Deny":
                continue
            if "NotAction" in statement:
                yield f"{name} allows all but a few actions"
            for action in entries(statement.get("Action")):
                if _WIDE.fullmatch(str(action).lower()):
                    yield f"{name} allows {action}"
    attached = (
        [resource.properties.get("policyArn")] if resource.type == types.ROLE_ATTACHMENT else []
    )
    if resource.type == types.ROLE:
        attached += entries(resource.properties.get("managedPolicyArns"))
    for arn in attached:
        if isinstance(arn, str) and ":iam::aws:" in arn:
            yield f"{arn} is worded by AWS, who may change it"


def _granted(resource: Resource) -> Iterator[tuple[str, Value]]:
    if resource.type == types.ROLE_POLICY:
        yield "policy", resource.properties.get("policy")
    if resource.type == types.ROLE:
        for index, inline in enumerate(maps(resource.properties.get("inlinePolicies"))):
            yield f"inlinePolicies[{index}].policy", inline.get("policy")


def role_actions_managed(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """The same of policies of the stack that are attached to a role."""
    for attachment in graph.of(types.ROLE_ATTACHMENT):
        policy = _managed(graph, attachment, "policyArn")
        if policy is None:
            if not str(attachment.properties.get("policyArn")).startswith("arn:aws:iam::aws:"):
                yield attachment.urn, "policyArn is not a policy of this stack"
            continue
        wide = Resource(
            policy.urn, types.ROLE_POLICY, policy.name, {"policy": policy.properties.get("policy")}
        )
        yield from ((policy.urn, wrong) for wrong in role_actions(wide, graph, scope))


def role_boundary(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every role has a permissions boundary of this stack, which fences the region."""
    for role in graph.of(types.ROLE):
        if not holds(role.properties.get("permissionsBoundary")):
            yield role.urn, "permissionsBoundary is not set"
            continue
        policy = _managed(graph, role, "permissionsBoundary")
        if policy is None:
            yield role.urn, "permissionsBoundary is not a policy of this stack"
            continue
        found = _read(policy.properties.get("policy"))
        if found is not None and (open_ := _unfenced(found, scope, granted=True)):
            yield policy.urn, f"the boundary lets {open_} happen in another region"


def role_fence(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every role denies itself other regions, by ``aws:RequestedRegion``."""
    for role in graph.of(types.ROLE):
        found = _of_role(graph, role)
        if found is None:
            continue  # not known: another rule refuses it
        if open_ := _unfenced(found, scope, granted=False):
            yield role.urn, f"no policy of the role denies it {open_} in another region"


def _unfenced(found: list[Statement], scope: Scope, *, granted: bool) -> str:
    """The first action that is not refused elsewhere; ``granted`` when only an Allow lets it."""
    for action in _FENCED:
        context = {"aws:RequestedRegion": NOWHERE, "aws:PrincipalAccount": scope.account_id}
        decision = decide(found, Request(action, context=context))
        if decision == "allow" or (decision == "none" and not granted):
            return action
    return ""


def _of_role(graph: Graph, role: Resource) -> list[Statement] | None:
    """All statements of a role's own and attached policies; None when one is not known."""
    found: list[Statement] = []
    documents: list[Value] = [document for _, document in _granted(role)]
    for policy in graph.of(types.ROLE_POLICY):
        if _about(policy, role):
            documents.append(policy.properties.get("policy"))
    for attachment in graph.of(types.ROLE_ATTACHMENT):
        if _about(attachment, role):
            managed = _managed(graph, attachment, "policyArn")
            documents.append(None if managed is None else managed.properties.get("policy"))
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


def _about(resource: Resource, role: Resource) -> bool:
    named = resource.properties.get("role")
    return role.urn in (resource.dependencies or {}).get("role", ()) or (
        isinstance(named, str) and named in (role.properties.get("name"), role.name)
    )


def _managed(graph: Graph, resource: Resource, name: str) -> Resource | None:
    """The policy of the stack that a property names: by dependency, else by its ARN's name."""
    value = resource.properties.get(name)
    for policy in graph.of(types.MANAGED_POLICY):
        if comes_from(resource, name, types.MANAGED_POLICY):
            if policy.urn in (resource.dependencies or {}).get(name, ()):
                return policy
        elif isinstance(value, str) and value in (
            policy.properties.get("arn"),
            *_arn(policy.properties.get("name"), value),
        ):
            return policy
    return None


def _arn(name: Any, value: str) -> list[str]:
    account = value.split(":")[4] if value.count(":") >= 5 else ""
    return [f"arn:aws:iam::{account}:policy/{name}"] if isinstance(name, str) else []


def _read(document: Value) -> list[Statement] | None:
    if document is None or document is UNKNOWN or not seen(document):
        return None
    try:
        return statements(document)
    except Unreadable:
        return None
