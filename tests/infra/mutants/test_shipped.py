"""The stacks that come with Inland keep every rule, in the gate and in the pack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.rules.model import Scope
from infra.rules.registry import check
from infra.settings.load import load_region_stack
from infra.settings.scope import scope_of
from tests.infra.components.shipped import REGION, STACKS, shipped
from tests.infra.policy.analyzer import Pack, running_pack


def scope(stack: str) -> Scope:
    return scope_of(stack, load_region_stack(REGION / f"Pulumi.{stack}.yaml"))


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    with running_pack() as found:
        yield found


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_a_shipped_region_keeps_every_rule(stack: str, preview: bool, pack: Pack) -> None:
    graph = shipped(stack, preview=preview)
    assert check(graph, scope(stack)) == ()
    pack.configure(scope(stack))
    assert pack.judge(graph) == set()
