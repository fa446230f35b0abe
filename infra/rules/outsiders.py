"""Requests that must fail: what anybody outside the stack's account could ask of a resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from infra.rules.conditions import Context
from infra.rules.iam import Request, Statement, decide
from infra.rules.model import Scope
from infra.rules.values import entries

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


def outsiders(
    found: Sequence[Statement], scope: Scope, action: str, resource: str
) -> Iterator[str]:
    """Who outside the account gets ``action``: anybody, a foreign account, a service for one."""
    for who, request in _requests(found, scope, action, resource):
        if decide(found, request) == "allow":
            yield who


def _requests(
    found: Iterable[Statement], scope: Scope, action: str, resource: str
) -> Iterator[tuple[str, Request]]:
    secure = {"aws:SecureTransport": "true", **ELSEWHERE}
    yield "anybody", Request(action, resource, context=secure)
    for arn in sorted({f"arn:aws:iam::{STRANGER}:role/any", *_foreign(found, scope)}):
        account = arn.split(":")[4]
        context = secure | {
            "aws:PrincipalAccount": account,
            "aws:PrincipalArn": arn,
            "aws:PrincipalIsAWSService": "false",
            "aws:PrincipalOrgID": "o-0000000000",
            "kms:CallerAccount": account,
        }
        who = "other accounts" if account == STRANGER else f"account {account}"
        yield who, Request(action, resource, arn, context=context)
    for service in sorted(_services(found)):
        for region in sorted(scope.regions):
            context = {
                "aws:SecureTransport": "true",
                "aws:PrincipalIsAWSService": "true",
                "aws:SourceAccount": STRANGER,
                "aws:SourceArn": f"arn:aws:{service.split('.')[0]}:{region}:{STRANGER}:any",
                "aws:SourceOrgID": "o-0000000000",
                "kms:CallerAccount": STRANGER,
                "kms:EncryptionContext:aws:logs:arn": (
                    f"arn:aws:logs:{region}:{STRANGER}:log-group:any"
                ),
            }
            request = Request(action, resource, service, service=True, context=context)
            yield f"{service} for another account", request


def _foreign(found: Iterable[Statement], scope: Scope) -> Iterator[str]:
    for name in _named(found, "AWS"):
        arn = f"arn:aws:iam::{name}:root" if name.isdigit() else name
        parts = arn.split(":")
        if len(parts) > 5 and parts[4] != scope.account_id:
            yield arn if not arn.endswith(":root") else arn.removesuffix(":root") + ":role/any"


def _services(found: Iterable[Statement]) -> set[str]:
    return set(_named(found, "Service"))


def _named(found: Iterable[Statement], kind: str) -> Iterator[str]:
    for statement in found:
        principal = statement.get("Principal")
        if isinstance(principal, Mapping):
            yield from (str(name) for name in entries(principal.get(kind)))
