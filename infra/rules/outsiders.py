"""Whom a policy lets in who is not of the account: judged by its shape, not by trying requests.

An Allow is for the account itself, for a principal that is named by the account's own ARN, or for
everybody or a service *and* pinned to the account by a condition that is known to pin. Whatever
else is said, or is not understood, lets outsiders in; what a Deny takes away again does not count.

Source: "AWS JSON policy elements: Principal" and "AWS global condition context keys", AWS IAM user
guide; "Condition keys for AWS KMS" (2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from infra.rules.conditions import Context
from infra.rules.iam import Statement
from infra.rules.model import Scope
from infra.rules.values import block, entries

STRANGER: Final = "000000000000"
"""An account that nobody names."""
NOWHERE: Final = "xx-nowhere-1"
"""A region of no stack."""
ELSEWHERE: Final[Context] = {
    "aws:SourceVpce": "vpce-00000000000000000",
    "aws:SourceVpc": "vpc-00000000000000000",
    "aws:VpceAccount": STRANGER,
    "aws:VpceOrgID": "o-0000000000",
}
"""Through an endpoint of somebody else's network."""

_TEXT: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike"})
_ARN: Final = frozenset({"ArnEquals", "ArnLike"})
_PEOPLE: Final = frozenset({"aws:principalaccount", "kms:calleraccount"})
_PEOPLE_ARN: Final = frozenset({"aws:principalarn"})
_SOURCE: Final = frozenset({"aws:sourceaccount"})
_SOURCE_ARN: Final = frozenset({"aws:sourcearn"})
_LOGS: Final = re.compile(r"logs\.(?:[a-z0-9-]+\.)?amazonaws\.com")
_LOGS_ARN: Final = _SOURCE_ARN | {"kms:encryptioncontext:aws:logs:arn"}
"""For whose resource a service acts. CloudWatch Logs says so in the encryption context (Amazon
CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS"); of anybody else
the context is whatever they say."""
_RESOURCE: Final = frozenset({"aws:resourceaccount", "s3:resourceaccount"})


def outsiders(
    found: Iterable[Statement], scope: Scope, unpinned: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Who outside the account is let in: anybody, an account, an identity, a service for one.

    ``unpinned`` are services that cannot act for another account.
    """
    for statement in found:
        if statement.get("Effect") == "Deny":
            continue
        principal = statement.get("Principal")
        if "NotPrincipal" in statement or not isinstance(principal, str | Mapping):
            yield "anybody"
            continue
        named = principal if isinstance(principal, Mapping) else {"AWS": principal}
        for kind, names in named.items():
            for name in entries(names):
                if not _inside(str(kind), str(name), statement, scope, unpinned):
                    yield _called(str(kind), str(name))


def _inside(
    kind: str, name: str, statement: Statement, scope: Scope, unpinned: frozenset[str]
) -> bool:
    if kind == "Service":
        by_arn = _LOGS_ARN if _LOGS.fullmatch(name) else _SOURCE_ARN
        return name in unpinned or _pinned(statement, scope, _SOURCE, by_arn)
    if kind != "AWS":
        return False
    if name == "*":
        return _pinned(statement, scope, _PEOPLE | _SOURCE, _PEOPLE_ARN | _SOURCE_ARN)
    return name == scope.account_id or _ours(name, scope)


def _called(kind: str, name: str) -> str:
    if kind == "Service":
        return f"{name} for another account"
    if kind != "AWS":
        return f"a {kind} identity"
    return "anybody" if name == "*" else name


def _ours(arn: str, scope: Scope) -> bool:
    """An identity of the account, by an ARN whose account is written out."""
    parts = arn.split(":", 5)
    return len(parts) == 6 and parts[2] in ("iam", "sts") and _of_account(arn, scope)


def _of_account(arn: str, scope: Scope) -> bool:
    parts = arn.split(":", 5)
    return len(parts) == 6 and parts[0] == "arn" and parts[4] == scope.account_id


def _pinned(
    statement: Statement, scope: Scope, keys: frozenset[str], arn_keys: frozenset[str]
) -> bool:
    """Whether one condition can only be met by the account: all its values are the account's."""
    return _says(statement, _TEXT, keys, lambda value: value == scope.account_id) or _says(
        statement, _ARN, arn_keys, lambda value: _of_account(value, scope)
    )


def within_account(statement: Statement, scope: Scope) -> bool:
    """Whether a condition keeps the statement to resources of the account."""
    return _pinned(statement, scope, _RESOURCE, frozenset())


def _says(
    statement: Statement,
    operators: frozenset[str],
    keys: frozenset[str],
    right: Callable[[str], bool],
) -> bool:
    for operator, key, values in tests(statement):
        if operator in operators and key in keys and values and all(map(right, values)):
            return True
    return False


def tests(statement: Statement) -> Iterator[tuple[str, str, list[str]]]:
    """Each condition of a statement: its operator, its key in lower case, its values."""
    for operator, found in block(statement.get("Condition")).items():
        for key, values in block(found).items():
            yield operator, str(key).lower(), [_text(value) for value in entries(values)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
