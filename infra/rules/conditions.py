"""Conditions of IAM policies, judged without asking AWS.

Source: "IAM JSON policy elements: Condition operators" and "Conditions with multiple context keys
or values", AWS IAM user guide, read on 2026-11-21. What is not understood here is neither true nor
false: the caller takes it for the worse of the two.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final, TypeAlias

Context: TypeAlias = Mapping[str, str | Sequence[str]]
"""Condition keys of a request in lower case, with their value or values."""
Verdict: TypeAlias = bool | None
"""None: cannot be told."""
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_LITERALS: Final = {"*": "*", "?": "?", "$": "$"}


def like(pattern: str, text: str) -> bool:
    """``*`` is any text, ``?`` one character."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def arn_like(pattern: str, arn: str) -> bool:
    """Each of the six parts of an ARN by itself, so that ``*`` does not cross a colon."""
    wanted, had = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(had) and all(starmap(like, zip(wanted, had, strict=True)))


def _ip_in(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, had: compare(float(had), float(wanted))


_POSITIVE: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": lambda wanted, had: wanted == had,
    "StringEqualsIgnoreCase": lambda wanted, had: wanted.lower() == had.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda wanted, had: wanted.lower() == had.lower(),
    "IpAddress": _ip_in,
    "NumericEquals": _number(lambda had, wanted: had == wanted),
    "NumericLessThan": _number(lambda had, wanted: had < wanted),
    "NumericLessThanEquals": _number(lambda had, wanted: had <= wanted),
    "NumericGreaterThan": _number(lambda had, wanted: had > wanted),
    "NumericGreaterThanEquals": _number(lambda had, wanted: had >= wanted),
}
_NEGATIVE: Final[Mapping[str, str]] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
}


def all_true(conditions: Any, context: Context) -> Verdict:
    """A ``Condition`` block: every operator and every key of it must be true."""
    if not isinstance(conditions, Mapping):
        return None
    verdicts = [
        _one(str(operator), str(key).lower(), _texts(wanted), context)
        for operator, tests in conditions.items()
        for key, wanted in (tests.items() if isinstance(tests, Mapping) else [("", None)])
    ]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, str | int | float):
        return [str(value)]
    if isinstance(value, Sequence) and all(isinstance(item, str | int | float) for item in value):
        return [text for item in value for text in _texts(item) or ()]
    return None


def _one(operator: str, key: str, wanted: list[str] | None, context: Context) -> Verdict:
    quantifier, _, rest = operator.rpartition(":")
    if_exists = rest.endswith("IfExists")
    name = rest.removesuffix("IfExists")
    had = context.get(key)
    if wanted is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        return None
    if name == "Null":
        return wanted == [str(had is None).lower()]
    positive = _NEGATIVE.get(name, name)
    if positive not in _POSITIVE:
        return None
    if had is None:
        return if_exists or quantifier == "ForAllValues" or (name in _NEGATIVE and not quantifier)
    try:
        matched = [_any(positive, wanted, one, context) for one in _values(had)]
    except ValueError:  # no number, no address: AWS would call the policy malformed
        return None
    if None in matched:
        return None
    results = [found is not (name in _NEGATIVE) for found in matched]
    return all(results) if quantifier == "ForAllValues" else any(results)


def _values(had: str | Sequence[str]) -> Sequence[str]:
    return [had] if isinstance(had, str) else had


def _any(operator: str, wanted: list[str], had: str, context: Context) -> Verdict:
    results: list[Verdict] = []
    for text in wanted:
        filled = fill(text, context)
        results.append(None if filled is None else _POSITIVE[operator](filled, had))
    if True in results:
        return True
    return None if None in results else False


def fill(text: str, context: Context) -> str | None:
    """Policy variables replaced; None when the request has no such key."""

    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match[1].partition(",")
        had = _LITERALS.get(name.strip(), context.get(name.strip().lower()))
        if isinstance(had, str):
            return had
        missing = missing or not default
        return default.strip(" '")

    filled = _VARIABLE.sub(value, text)
    return None if missing else filled
