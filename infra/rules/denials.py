"""Which denials of a bucket's policy protect it: those without an exception that we do not know.

A Deny with one more condition, a ``NotPrincipal`` or a ``NotResource`` is a Deny with a hole for
somebody. So it must be of a known shape in all its elements; else it does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.iam import Statement
from infra.rules.identity import named
from infra.rules.model import Graph, Resource, Scope
from infra.rules.outsiders import tests
from infra.rules.values import entries

_ELEMENTS: Final = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})
_KEY_OPERATORS: Final = frozenset(
    {"StringNotEquals", "StringNotLike", "StringNotEqualsIfExists", "StringNotLikeIfExists"}
)


def protecting(
    found: Iterable[Statement], policy: Resource, bucket: str, graph: Graph, scope: Scope
) -> list[Statement]:
    """The denials for everybody, of the whole bucket or all its objects, under known conditions.

    What they say of a part of the bucket is left out.
    """
    whole = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*")
    kept: list[Statement] = []
    for statement in found:
        covered = [one for one in entries(statement.get("Resource")) if one in ("*", *whole)]
        if covered and _plain(statement) and _understood(statement, policy, graph, scope):
            kept.append({**statement, "Resource": covered})
    return kept


def _plain(statement: Statement) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and set(statement) <= _ELEMENTS
        and "Action" in statement
        and _everybody(statement.get("Principal"))
    )


def _everybody(principal: Any) -> bool:
    if isinstance(principal, Mapping):
        return "*" in entries(principal.get("AWS"))
    return bool(principal == "*")


def _understood(statement: Statement, policy: Resource, graph: Graph, scope: Scope) -> bool:
    if "Condition" in statement and not isinstance(statement["Condition"], Mapping):
        return False
    return all(
        values and all(_known(operator, key, value, policy, graph, scope) for value in values)
        for operator, key, values in tests(statement)
    ) and _read_whole(statement)


def _read_whole(statement: Statement) -> bool:
    """Whether every operator holds a map: nothing of the conditions was passed over."""
    return all(
        isinstance(found, Mapping) and found
        for found in (statement.get("Condition") or {}).values()
    )


def _known(
    operator: str, key: str, value: str, policy: Resource, graph: Graph, scope: Scope
) -> bool:
    """Whether a test excepts nobody but those who come by the stack's own way."""
    match operator, key:
        case "Bool", "aws:securetransport":
            return value == "false"
        case "StringNotEquals", "aws:vpceaccount" | "aws:principalaccount":
            return value == scope.account_id
        case "StringNotEquals", "aws:sourcevpce":
            return named(graph, policy, "policy", value, types.ENDPOINT) is not None
        case "Null", "aws:sourcevpcarn":
            return value == "false"
        case "StringNotLike" | "ArnNotLike", "aws:sourcevpcarn":
            return _ours(value, "ec2", "vpc/", scope)
        case found, "s3:x-amz-server-side-encryption-aws-kms-key-id" if found in _KEY_OPERATORS:
            return _ours(value, "kms", "key/", scope) or _ours(value, "kms", "alias/", scope)
        case _:
            return False


def _ours(arn: str, service: str, resource: str, scope: Scope) -> bool:
    """An ARN whose region and account are written out, and are the stack's."""
    match = re.fullmatch(rf"arn:aws[a-z-]*:{service}:([a-z0-9-]+):([0-9]{{12}}):(.+)", arn)
    return (
        match is not None
        and match[1] in scope.regions
        and match[2] == scope.account_id
        and match[3].startswith(resource)
    )
