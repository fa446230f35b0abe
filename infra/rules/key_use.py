"""What keys are used for: through a service that seals by them, or for one tenant's sessions.

Condition keys: "AWS KMS condition keys", AWS KMS Developer Guide, read on 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.conditions import like
from infra.rules.iam import Statement, Unreadable, seen, statements
from infra.rules.model import Graph, Resource, Scope
from infra.rules.roles import role_statements
from infra.rules.values import entries

USES: Final = (
    "kms:decrypt",
    "kms:encrypt",
    "kms:generatedatakey",
    "kms:generatedatakeypair",
    "kms:generatedatakeypairwithoutplaintext",
    "kms:generatedatakeywithoutplaintext",
    "kms:reencryptfrom",
    "kms:reencryptto",
)
"""Whoever may ask one of these opens something, or seals it so that it can be opened."""
_TENANT: Final = "kms:encryptioncontext:inland:tenant"
_REGION: Final = "kms:encryptioncontext:inland:region"
_AUTO_SCALING: Final = "/AWSServiceRoleForAutoScaling"


def key_use(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A key's policy lets nobody use it by hand: see :func:`_bound`."""
    document = resource.properties.get("policy")
    if resource.type not in (types.KEY, "aws:kms/keyPolicy:KeyPolicy") or not seen(document):
        return
    try:
        found = statements(document)
    except Unreadable:
        return  # `key-policy` says so
    for statement in found:
        if not _by_services(statement) and not _bound(statement, scope):
            yield f"policy lets a key be used without saying for what: {_name(statement)}"


def role_key_use(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """No role uses a key by hand either, whatever the key's own policy says."""
    for role, found in role_statements(graph):
        for statement in found:
            if not _bound(statement, scope):
                yield role.urn, f"may use a key without saying for what: {_name(statement)}"


def _bound(statement: Statement, scope: Scope) -> bool:
    """Whether a statement that allows to use keys says for what, and says it always.

    Either through services of the stack's region, which seal what they keep and tell KMS whose it
    is; or with an encryption context that names tenants, and this region. ``StringEquals`` alone
    counts: it is false where the request has no such key.
    """
    if statement.get("Effect") == "Deny" or not _uses(statement):
        return True
    condition = statement.get("Condition")
    equal = condition.get("StringEquals") if isinstance(condition, Mapping) else None
    said = {str(key).lower(): entries(value) for key, value in _items(equal)}
    services = said.get("kms:viaservice", [])
    if services and all(_of_region(str(name), scope) for name in services):
        return True
    tenants, regions = said.get(_TENANT, []), said.get(_REGION, [])
    named = bool(tenants) and not any("$" in str(tenant) for tenant in tenants)
    return named and bool(regions) and all(region in scope.regions for region in regions)


def _by_services(statement: Statement) -> bool:
    """Whether only AWS's own services are meant, by their name or by their role for a disk.

    Of whose account they must be is what ``key-policy`` asks.
    """
    principal = statement.get("Principal")
    if isinstance(principal, Mapping) and set(principal) == {"Service"}:
        return True
    condition = statement.get("Condition")
    equal = condition.get("ArnEquals") if isinstance(condition, Mapping) else None
    arns = [each for key, each in _items(equal) if str(key).lower() == "aws:principalarn"]
    return bool(arns) and all(
        str(arn).endswith(_AUTO_SCALING) and "*" not in str(arn) for arn in entries(arns[0])
    )


def _uses(statement: Statement) -> bool:
    if "NotAction" in statement:
        return True
    return any(
        like(str(action).lower(), use)
        for action in entries(statement.get("Action"))
        for use in USES
    )


def _of_region(service: str, scope: Scope) -> bool:
    return any(service.endswith(f".{region}.amazonaws.com") for region in scope.regions)


def _items(found: Any) -> list[tuple[Any, Any]]:
    return list(found.items()) if isinstance(found, Mapping) else []


def _name(statement: Statement) -> str:
    return str(statement.get("Sid") or "a statement without a Sid")
