"""The fence around the regions of a stack: one statement, known by its shape.

It is not tried with requests, since none of a few would find the hole that was made for another:
a fence with anything more or less in it is no fence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from infra.rules.iam import Statement
from infra.rules.model import Scope
from infra.rules.outsiders import tests
from infra.rules.values import entries

OF_NO_REGION: Final = frozenset({"iam:*", "sts:*", "route53:changeresourcerecordsets"})
"""What may be left out of a fence, in lower case: it answers for the world, and takes no data of a
caller. What a role may do of it is on the list of ``role-actions``."""
_ELEMENTS: Final = frozenset({"Sid", "Effect", "NotAction", "Resource", "Condition"})


def fenced(found: Iterable[Statement], scope: Scope) -> bool:
    """Whether a statement denies everything outside the stack's regions, without a hole."""
    return any(_is_fence(statement, scope) for statement in found)


def _is_fence(statement: Statement, scope: Scope) -> bool:
    spared = {str(action).lower() for action in entries(statement.get("NotAction"))}
    conditions = list(tests(statement))
    return (
        statement.get("Effect") == "Deny"
        and set(statement) <= _ELEMENTS
        and bool(spared)
        and spared <= OF_NO_REGION
        and entries(statement.get("Resource")) == ["*"]
        and len(conditions) == 1
        and conditions[0][:2] == ("StringNotEquals", "aws:requestedregion")
        and bool(conditions[0][2])
        and scope.regions.issuperset(conditions[0][2])
    )
