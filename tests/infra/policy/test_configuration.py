"""What the gate tells the pack is what the pack reads."""

from __future__ import annotations

from infra.policy.configuration import pack_config
from infra.policy.pack import SCHEMA, scope_from
from infra.rules.model import Scope


def test_the_pack_reads_back_the_scope_that_the_gate_writes() -> None:
    scope = Scope("control-plane", frozenset({"eu-central-1", "ap-south-1"}), "123456789012")
    for told in pack_config(scope).values():
        assert {*told} == {*SCHEMA.properties}
        assert scope_from(told) == scope
