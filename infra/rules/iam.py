"""What a policy document of AWS says to a request: a small evaluator, for the worst case.

Source: "Policy evaluation logic" and "IAM JSON policy elements" (Principal, NotPrincipal, Action,
NotAction, Resource, NotResource), AWS IAM user guide, read on 2026-11-21. Where the evaluator
cannot tell, a Deny does not protect and an Allow allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from infra.rules.conditions import Context, Verdict, all_true, fill, like
from infra.rules.model import UNKNOWN, Value
from infra.rules.values import entries, maps

Decision: TypeAlias = Literal["deny", "allow", "none"]
Statement: TypeAlias = Mapping[str, Any]


_TOP: Final = frozenset({"Version", "Id", "Statement"})
_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Condition"}
    | {f"{no}{element}" for no in ("", "Not") for element in ("Action", "Principal", "Resource")}
)


class Unreadable(Exception):
    """A text that should be a policy document is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks. ``principal`` is an ARN, a service's name, or empty for anybody."""

    action: str
    resource: str = "*"
    principal: str = ""
    service: bool = False
    context: Context = field(default_factory=dict)


def statements(document: Value) -> list[Statement]:
    """The statements of a document, given as text or as a map.

    Raises ``Unreadable``, also for a document that says more than AWS documents, or a thing twice:
    nobody knows what AWS would read. A document that is not known has none: ask ``seen`` before.
    """
    if document is None or document is UNKNOWN:
        return []
    if isinstance(document, str):
        try:
            document = json.loads(document, object_pairs_hook=_once)
        except ValueError as error:
            raise Unreadable("is not JSON") from error
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise Unreadable("has no statements")
    found = document["Statement"]
    said = maps(found)
    if len(said) != (len(found) if isinstance(found, list | tuple) else 1):
        raise Unreadable("has a statement that is none")
    for unknown in sorted(set(document) - _TOP, key=str):
        raise Unreadable(f"has {unknown}, which is no element of a policy")
    for statement in said:
        for unknown in sorted(set(statement) - _ELEMENTS, key=str):
            raise Unreadable(f"has {unknown}, which is no element of a statement")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise Unreadable("has a statement that neither allows nor denies")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("says a thing twice")
    return found


def seen(document: Value) -> bool:
    """Whether a document can be judged: it is known to its last word."""
    return document is not UNKNOWN and not _unknown_inside(document)


def _unknown_inside(value: Value) -> bool:
    if isinstance(value, Mapping):
        return any(_unknown_inside(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_unknown_inside(item) for item in value)
    return value is UNKNOWN


def decide(found: Iterable[Statement], request: Request) -> Decision:
    """Deny wins, then Allow, else nothing is said."""
    decision: Decision = "none"
    for statement in found:
        applies = _applies(statement, request)
        if statement.get("Effect") == "Deny" and applies is True:
            return "deny"
        if statement.get("Effect") != "Deny" and applies is not False:
            decision = "allow"
    return decision


def _applies(statement: Statement, request: Request) -> Verdict:
    verdicts: list[Verdict] = [
        _principal(statement, request),
        _listed(statement, "Action", request.action.lower(), request.context),
        _listed(statement, "Resource", request.resource, request.context),
    ]
    if "Condition" in statement:
        context = {key.lower(): value for key, value in request.context.items()}
        verdicts.append(all_true(statement["Condition"], context))
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _listed(statement: Statement, element: str, asked: str, context: Context) -> Verdict:
    inverted = f"Not{element}" in statement
    if not inverted and element not in statement:
        return True
    verdicts: list[Verdict] = []
    for pattern in entries(statement[f"Not{element}" if inverted else element]):
        filled = fill(str(pattern), {key.lower(): value for key, value in context.items()})
        if element == "Action":
            filled = None if filled is None else filled.lower()
        verdicts.append(None if filled is None else asked == "*" == filled or like(filled, asked))
    found: Verdict = True if True in verdicts else None if None in verdicts else False
    return found if found is None or not inverted else not found


def _principal(statement: Statement, request: Request) -> Verdict:
    if "NotPrincipal" in statement:
        found = _named(statement["NotPrincipal"], request)
        return None if found is None else not found
    if "Principal" not in statement:
        return True  # a policy of an identity
    return _named(statement["Principal"], request)


def _named(principal: Any, request: Request) -> Verdict:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return None
    if request.service:
        return any(like(str(name), request.principal) for name in entries(principal.get("Service")))
    for name in entries(principal.get("AWS")):
        if name == "*" or _same(str(name), request.principal):
            return True
    return None if "Federated" in principal or "CanonicalUser" in principal else False


def _same(named: str, asking: str) -> bool:
    """An account's number or ``:root`` stands for whoever the account trusts with the action."""
    if named == asking:
        return True
    account = named if named.isdigit() else named.split(":")[4] if named.endswith(":root") else ""
    return bool(account) and asking.split(":")[4:5] == [account]
