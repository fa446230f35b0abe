"""Requests that must fail: what anybody outside the stack's account could ask of a resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from infra.rules.conditions import Context
from infra.rules.iam import Request, Statement, decide
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


_CHOSEN: Final = (
    "aws:referer",
    "aws:sourceip",
    "aws:useragent",
    "kms:encryptioncontext",
    "kms:grantisforawsresource",
    "kms:viaservice",
)
"""Condition keys that whoever asks chooses, or that say nothing of whose they are: as the only
condition of an Allow they keep nobody out."""


def outsiders(
    found: Sequence[Statement], scope: Scope, action: str, resource: str
) -> Iterator[str]:
    """Who outside the account gets ``action``: anybody, a foreign account, a service for one."""
    met = [_without_chosen(statement) for statement in found]
    for who, request in _requests(found, scope, action, resource):
        if decide(found if request.service else met, request) == "allow":
            yield who


def _without_chosen(statement: Statement) -> Statement:
    conditions = statement.get("Condition")
    if statement.get("Effect") == "Deny" or not isinstance(conditions, Mapping):
        return statement
    kept = {
        operator: {
            key: value
            for key, value in block(tests).items()
            if not str(key).lower().startswith(_CHOSEN)
        }
        for operator, tests in conditions.items()
    }
    return {**statement, "Condition": {operator: one for operator, one in kept.items() if one}}


def _requests(
    found: Sequence[Statement], scope: Scope, action: str, resource: str
) -> Iterator[tuple[str, Request]]:
    for region in sorted(scope.regions):
        secure = {"aws:SecureTransport": "true", "aws:RequestedRegion": region}
        yield "anybody", Request(action, resource, context={**secure, **ELSEWHERE})
        for arn in sorted({f"arn:aws:iam::{STRANGER}:role/any", *_foreign(found, scope)}):
            account = arn.split(":")[4]
            who = "other accounts" if account == STRANGER else f"account {account}"
            context = {**secure, **ELSEWHERE, **_account(account, arn)}
            yield who, Request(action, resource, arn, context=context)
        for service in sorted(_services(found)):
            context = {**secure, **_for_a_stranger(service, region)}
            request = Request(action, resource, service, service=True, context=context)
            yield f"{service} for another account", request


def _account(account: str, arn: str) -> dict[str, str]:
    return {
        "aws:PrincipalAccount": account,
        "aws:PrincipalArn": arn,
        "aws:PrincipalIsAWSService": "false",
        "aws:PrincipalOrgID": "o-0000000000",
        "kms:CallerAccount": account,
    }


def _for_a_stranger(service: str, region: str) -> dict[str, str]:
    """A service that acts for somebody else's resource (the confused deputy)."""
    return {
        "aws:PrincipalIsAWSService": "true",
        "aws:SourceAccount": STRANGER,
        "aws:SourceArn": f"arn:aws:{service.split('.')[0]}:{region}:{STRANGER}:any",
        "aws:SourceOrgID": "o-0000000000",
        "kms:CallerAccount": STRANGER,
        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{STRANGER}:log-group:any",
    }


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
