"""Every shipped stack, ``up`` and ``preview``: its graph is the same each time and keeps the rules.

Nothing is made and nobody is asked: no account, no network, no Pulumi command.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import infra
from infra.graph.capture import capture
from infra.graph.mermaid import draw_mermaid
from infra.graph.svg import draw_svg
from infra.rules.model import UNKNOWN, Graph, Value
from infra.rules.registry import check
from infra.settings.load import load_stack, stack_of
from infra.settings.scope import scope_of

ROOT = Path(infra.__file__).parent
FILES = sorted(
    file
    for project in ("region", "control_plane")
    for file in (ROOT / project).glob("Pulumi.*.yaml")
)
SECONDS = 60.0
"""Of CPU, for all captures together: a busy machine takes longer by the clock."""
LEAST = 60
"""Resources of the smallest stack: a graph with fewer has lost something."""

shipped = pytest.mark.parametrize("file", FILES, ids=stack_of)
either = pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])


@dataclass
class Captured:
    """Both graphs of every stack, captured twice, and how long the first ones took."""

    first: dict[tuple[Path, bool], Graph] = field(default_factory=dict)
    seconds: float = 0.0


@pytest.fixture(scope="module")
def captured() -> Iterator[Captured]:
    found = Captured()
    began = time.process_time()
    for file in FILES:
        for preview in (False, True):
            found.first[file, preview] = capture(file.parent, stack_of(file), preview=preview)
    found.seconds = time.process_time() - began
    yield found


def values(value: Value) -> Iterator[Value]:
    if isinstance(value, dict):
        for item in value.values():
            yield from values(item)
    elif isinstance(value, list):
        for item in value:
            yield from values(item)
    else:
        yield value


def test_there_are_regions_of_several_jurisdictions_and_a_control_plane() -> None:
    names = {stack_of(file) for file in FILES}
    assert {"eu-central-1", "eu-west-1", "ap-south-1", "us-east-1", "control-plane"} <= names


def test_all_graphs_are_captured_in_a_minute_of_cpu(
    captured: Captured, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f" [{len(captured.first)} graphs in {captured.seconds:.1f} s] ", end="")  # noqa: T201
    assert captured.seconds < SECONDS


@shipped
@either
def test_a_second_capture_is_identical(captured: Captured, file: Path, preview: bool) -> None:
    first = captured.first[file, preview]
    again = capture(file.parent, stack_of(file), preview=preview)
    assert again == first
    assert (draw_svg(again), draw_mermaid(again)) == (draw_svg(first), draw_mermaid(first))


@shipped
@either
def test_a_shipped_stack_keeps_every_rule(captured: Captured, file: Path, preview: bool) -> None:
    graph = captured.first[file, preview]
    assert len(graph.resources) > LEAST
    assert check(graph, scope_of(stack_of(file), load_stack(file))) == ()


@shipped
@either
def test_a_shipped_stack_asks_and_reads_nothing(
    captured: Captured, file: Path, preview: bool
) -> None:
    graph = captured.first[file, preview]
    assert graph.invokes == ()
    assert [resource.urn for resource in graph.resources.values() if resource.read] == []


@shipped
def test_a_shipped_stack_has_no_secret(captured: Captured, file: Path) -> None:
    graph = captured.first[file, False]
    assert [urn for urn, resource in graph.resources.items() if resource.secrets] == []
    assert graph.secret_outputs == frozenset()


@shipped
def test_everything_is_known_once_a_stack_is_up(captured: Captured, file: Path) -> None:
    graph = captured.first[file, False]
    unknown = [
        (resource.name, key)
        for resource in graph.resources.values()
        for key, value in resource.properties.items()
        if UNKNOWN in values(value)
    ]
    assert unknown == []
    assert UNKNOWN not in values(dict(graph.outputs))


@shipped
def test_a_preview_plans_the_same_resources(captured: Captured, file: Path) -> None:
    up, preview = captured.first[file, False], captured.first[file, True]
    assert list(up.resources) == list(preview.resources)
    assert any(
        UNKNOWN in values(dict(resource.properties)) for resource in preview.resources.values()
    )
