"""Requests put to policy documents, as AWS would put them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from infra.components.place import Place
from infra.documents.statements import Document
from infra.rules.iam import Decision, Request, decide

PLACE = Place("eu-central-1", "eu-central-1", "111122223333", "EEA")
ACCOUNT = PLACE.account_id
STRANGER = "444455556666"
EDGE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/inland-eu-central-1-edge"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/operator"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def asked(
    policy: Document,
    action: str,
    resource: str = "*",
    *,
    principal: str = "",
    service: bool = False,
    region: str = "eu-central-1",
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> Decision:
    """What the policy says; ``context`` adds condition keys to those that every request has."""
    keys: dict[str, str | Sequence[str]] = {"aws:RequestedRegion": region}
    if principal and not service:
        keys["aws:PrincipalArn"] = principal
        keys["aws:PrincipalAccount"] = keys["kms:CallerAccount"] = principal.split(":")[4]
    keys |= context or {}
    return decide(
        policy["Statement"], Request(action, resource, principal, service=service, context=keys)
    )


def actions(policy: Document, effect: str = "Allow") -> list[str]:
    """Every action that the statements of an effect name."""
    found: Iterable[dict[str, object]] = policy["Statement"]
    return [
        str(action)
        for statement in found
        if statement["Effect"] == effect
        for action in _entries(statement.get("Action", []))
    ]


def _entries(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
