"""Policy bundles for tests: signed with a key that settings trust."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.settings import PolicySource
from regions.bundle import Body, sign
from regions.models import Catalogue, TenantPolicy
from regions.policy_keys import policy_key_text
from tests.control_plane.helpers import CATALOGUE

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NO_GERMANY = {"demo-clinic": TenantPolicy(deny=("eu-central-1",))}
"""A contract of the demo's clinic."""


def bundle(
    serial: int = 1,
    contracts: dict[str, TenantPolicy] | None = None,
    *,
    catalogue: Catalogue = CATALOGUE,
    key: Ed25519PrivateKey = KEY,
    issued_at: int = 1_790_000_000,
) -> bytes:
    body = Body(serial=serial, issued_at=issued_at, catalogue=catalogue, contracts=contracts or {})
    return sign(body, key)


def without(region: str) -> Catalogue:
    """The shipped catalogue as if a region had been given up."""
    rules = tuple(
        rule.model_copy(update={"regions": tuple(name for name in rule.regions if name != region)})
        if rule.regions
        else rule
        for rule in CATALOGUE.rules
    )
    regions = tuple(known for known in CATALOGUE.regions if known.id != region)
    aliases = tuple(alias for alias in CATALOGUE.aliases if alias.region != region)
    return changed(regions=regions, rules=rules, aliases=aliases)


def changed(**parts: Any) -> Catalogue:
    """The shipped catalogue with other ``parts``; unlike a copy, it has a digest of its own."""
    shipped = {name: getattr(CATALOGUE, name) for name in Catalogue.model_fields}
    return Catalogue(**(shipped | parts))


def source(folder: Path) -> PolicySource:
    return PolicySource(
        bundle=folder / "policy.bundle",
        keys=(policy_key_text(KEY.public_key()),),
        state=folder / "policy.state",
    )


def put(folder: Path, raw: bytes) -> None:
    """As an operator should: whole or not at all."""
    draft = folder / "draft"
    draft.write_bytes(raw)
    os.replace(draft, folder / "policy.bundle")


def policy(folder: Path, raw: bytes | None = None) -> dict[str, Any]:
    """The setting, for a bundle that is put in place."""
    put(folder, raw or bundle())
    return {"policy": source(folder)}
