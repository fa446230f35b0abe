"""Keys of a region."""

from __future__ import annotations

import json
from pathlib import Path

from infra.components.keys import Keys, KeysArgs
from infra.documents.keys import (
    recordings_key_policy,
    region_key_policy,
    tenant_key_policy,
)
from infra.rules.model import Graph
from tests.infra.components.harness import PLACE, graph_of, named

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"


def graph(folder: Path, *, preview: bool = False) -> Graph:
    args = KeysArgs(
        place=PLACE, tenants={"bank": "edge-role", "clinic": "clinic-role"}, recordings=True
    )
    return graph_of(folder, lambda opts: Keys("keys", args, opts), preview=preview)


def test_the_region_and_each_tenant_have_a_key_of_their_own(tmp_path: Path) -> None:
    found = graph(tmp_path)
    aliases = {alias.properties["name"]: alias.name for alias in found.of(ALIAS)}
    assert aliases == {
        "alias/inland/eu-central-1": "keys",
        "alias/inland-recordings/eu-central-1": "recordings-key",
        "alias/inland/eu-central-1/bank": "keys-bank",
        "alias/inland/eu-central-1/clinic": "keys-clinic",
    }
    for alias in found.of(ALIAS):
        assert alias.dependencies is not None
        assert alias.dependencies["targetKeyId"] == (named(found, KEY, alias.name).urn,)


def test_keys_stay_in_the_region_turn_over_and_are_not_deleted_by_chance(tmp_path: Path) -> None:
    for key in graph(tmp_path).of(KEY):
        assert key.protect
        assert key.properties["multiRegion"] is False
        assert key.properties["enableKeyRotation"] is True
        assert key.properties["deletionWindowInDays"] == 30
        assert key.properties["tags"] == {"inland:holds": "keys"}


def test_what_a_key_is_for_is_known_in_a_preview(tmp_path: Path) -> None:
    found = graph(tmp_path, preview=True)
    policies = {key.name: json.loads(key.properties["policy"]) for key in found.of(KEY)}
    assert policies == {
        "keys": region_key_policy(PLACE),
        "recordings-key": recordings_key_policy(PLACE),
        "keys-bank": tenant_key_policy(PLACE, "bank", "edge-role"),
        "keys-clinic": tenant_key_policy(PLACE, "clinic", "clinic-role"),
    }
