"""The evaluator answers as AWS documents it, and for the worse where it cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from infra.rules.conditions import all_true
from infra.rules.iam import Decision, Request, Unreadable, decide, seen, statements
from infra.rules.model import UNKNOWN


def verdict(operator: str, key: str, wanted: Any, **context: Any) -> bool | None:
    had = {name.replace("_", ":").lower(): value for name, value in context.items()}
    return all_true({operator: {key: wanted}}, had)


@pytest.mark.parametrize(
    ("operator", "wanted", "had", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEquals", ["a", "b"], "a", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringLike", "in*d?", "inland", False),
        ("StringLike", "in*d?", "inlandx", True),
        ("StringNotLike", "in*", "inland", False),
        ("ArnLike", "arn:aws:logs:*:1:log-group:*", "arn:aws:logs:x:1:log-group:a:b", True),
        ("ArnLike", "arn:aws:*:1:x", "arn:aws:logs:r:1:x", False),
        ("ArnNotEquals", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b", True),
        ("Bool", "true", "True", True),
        ("Bool", True, "true", True),
        ("IpAddress", ["10.0.0.0/8"], "10.1.2.3", True),
        ("NotIpAddress", "2001:db8::/32", "2001:db8::1", False),
        ("IpAddress", "10.0.0.0/8", "nowhere", None),
        ("NumericLessThan", "1.2", "1.1", True),
        ("NumericGreaterThanEquals", "5", "4", False),
        ("NumericEquals", 3, "three", None),
        ("Null", "true", "here", False),
        ("Null", "false", "here", True),
        ("DateGreaterThan", "2026-01-01", "2026-11-21", None),
        ("BinaryEquals", "QQ==", "QQ==", None),
        ("ForSomeValues:StringEquals", "a", "a", None),
    ],
)
def test_operators(operator: str, wanted: Any, had: str, expected: bool | None) -> None:
    assert verdict(operator, "aws:Key", wanted, aws_key=had) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("Bool", False),
        ("BoolIfExists", True),
        ("ArnNotLike", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("Unheard", None),
    ],
)
def test_operators_when_the_request_has_no_such_key(operator: str, expected: bool | None) -> None:
    assert verdict(operator, "aws:Key", "a") is expected


@pytest.mark.parametrize(
    ("operator", "had", "expected"),
    [
        ("ForAnyValue:StringEquals", ["x", "a"], True),
        ("ForAnyValue:StringEquals", ["x"], False),
        ("ForAllValues:StringEquals", ["a", "a"], True),
        ("ForAllValues:StringEquals", ["x", "a"], False),
        ("ForAllValues:StringNotEquals", ["x", "y"], True),
    ],
)
def test_operators_over_several_values(operator: str, had: list[str], expected: bool) -> None:
    assert verdict(operator, "aws:TagKeys", ["a"], aws_tagkeys=had) is expected


def test_a_variable_is_filled_or_cannot_be_told() -> None:
    wanted = "${aws:PrincipalAccount}"
    assert verdict("StringEquals", "aws:X", wanted, aws_x="1", aws_principalaccount="1") is True
    assert verdict("StringEquals", "aws:X", wanted, aws_x="1") is None
    assert verdict("StringLike", "aws:X", "a${*}", aws_x="a*") is True


def test_every_condition_must_hold() -> None:
    block = {"StringEquals": {"aws:A": "1", "aws:B": "2"}, "Null": {"aws:C": "true"}}
    assert all_true(block, {"aws:a": "1", "aws:b": "2"}) is True
    assert all_true(block, {"aws:a": "1", "aws:b": "3"}) is False
    assert all_true(block, {"aws:a": "1", "aws:b": "2", "aws:c": ""}) is False


ROLE = "arn:aws:iam::111122223333:role/x"


def asked(statement: dict[str, Any], **more: Any) -> Decision:
    request = {"action": "s3:GetObject", "resource": "arn:aws:s3:::b/k", "principal": ROLE, **more}
    return decide([{"Effect": "Allow", **statement}], Request(**request))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "s3:get*", "Resource": "*"}, "allow"),
        ({"Action": ["kms:*", "s3:*"], "Resource": ["arn:aws:s3:::b/*"]}, "allow"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b"}, "none"),
        ({"NotAction": "s3:*", "Resource": "*"}, "none"),
        ({"NotAction": "kms:*", "Resource": "*"}, "allow"),
        ({"Action": "*", "NotResource": "arn:aws:s3:::b/*"}, "none"),
        ({"Action": "*", "NotResource": "arn:aws:s3:::c/*"}, "allow"),
        ({"Action": "*", "Resource": "*", "Principal": "*"}, "allow"),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": ROLE}}, "allow"),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": "111122223333"}}, "allow"),
        (
            {
                "Action": "*",
                "Resource": "*",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            },
            "allow",
        ),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": "444455556666"}}, "none"),
        ({"Action": "*", "Resource": "*", "Principal": {"Service": "s3.amazonaws.com"}}, "none"),
        ({"Action": "*", "Resource": "*", "Principal": {"Federated": "x"}}, "allow"),
        ({"Action": "*", "Resource": "*", "NotPrincipal": {"AWS": ROLE}}, "none"),
        ({"Action": "*", "Resource": "*", "NotPrincipal": {"AWS": "444455556666"}}, "allow"),
        ({"Action": "*", "Resource": "*", "Condition": {"Unheard": {"a": "b"}}}, "allow"),
        ({"Action": "*", "Resource": "*", "Condition": "nonsense"}, "allow"),
    ],
)
def test_who_may_do_what(statement: dict[str, Any], expected: Decision) -> None:
    assert asked(statement) == expected


def test_a_denial_wins_unless_it_cannot_be_told() -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denial = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    request = Request("s3:PutObject")
    assert decide([everything, denial], request) == "deny"
    told = {**denial, "Condition": {"Unheard": {"a": "b"}}}
    assert decide([everything, told], request) == "allow"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Version": "2012-10-17"}'])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        statements(text)


def test_a_document_is_seen_when_all_of_it_is_known() -> None:
    assert seen('{"Statement": []}')
    assert seen({"Statement": [{"Action": "*"}]})
    assert not seen(UNKNOWN)
    assert not seen({"Statement": [{"Action": "*", "Resource": ["x", UNKNOWN]}, {"Sid": ""}]})
