"""Policy documents of AWS as plain data: statements, whole documents, their text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Statement: TypeAlias = dict[str, Any]
"""One statement; keys are AWS's own (IAM User Guide, "IAM JSON policy element reference")."""
Document: TypeAlias = dict[str, Any]
Condition: TypeAlias = Mapping[str, Mapping[str, str | Sequence[str]]]
"""Operator to condition key to values."""
EVERYONE = "*"


def allow(
    sid: str,
    actions: Iterable[str],
    resources: str | Sequence[str] = "*",
    *,
    condition: Condition | None = None,
    principal: str | Mapping[str, str | Sequence[str]] | None = None,
) -> Statement:
    """Lets these actions through. ``principal`` belongs into policies of resources only."""
    return _statement("Allow", sid, {"Action": list(actions)}, resources, condition, principal)


def deny(
    sid: str,
    actions: Iterable[str],
    resources: str | Sequence[str] = "*",
    *,
    condition: Condition | None = None,
    principal: str | Mapping[str, str | Sequence[str]] | None = None,
) -> Statement:
    """Refuses these actions, whatever else allows them."""
    return _statement("Deny", sid, {"Action": list(actions)}, resources, condition, principal)


def deny_all_but(sid: str, actions: Iterable[str], *, condition: Condition) -> Statement:
    """Refuses every action except these."""
    return _statement("Deny", sid, {"NotAction": list(actions)}, "*", condition, None)


def document(statements: Iterable[Statement]) -> Document:
    """A whole policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def text(policy: Document) -> str:
    """As AWS takes it: JSON without blanks, since most policies have a length limit."""
    return json.dumps(policy, separators=(",", ":"))


def _statement(
    effect: str,
    sid: str,
    actions: Mapping[str, list[str]],
    resources: str | Sequence[str],
    condition: Condition | None,
    principal: str | Mapping[str, str | Sequence[str]] | None,
) -> Statement:
    made: Statement = {"Sid": sid, "Effect": effect}
    if principal is not None:
        made["Principal"] = _plain(principal)
    made |= actions
    made["Resource"] = _plain(resources)
    if condition is not None:
        made["Condition"] = {operator: _plain(keys) for operator, keys in condition.items()}
    return made


def _plain(value: str | Sequence[str] | Mapping[str, str | Sequence[str]]) -> Any:
    """Lists for tuples, so that a document equals what is read back from its text."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(found) for key, found in value.items()}
    return list(value)
