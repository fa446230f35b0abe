"""The house rules on who may import whom (docs/decisions.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("inland", "regions", "control_plane", "edge", "web_demo", "infra")
ROOMS = ("transport", "speech", "dialog", "session")
HALLWAY = {
    "edge.ledger",
    "edge.events",
    "edge.grammar",
    "edge.leg",
    "edge.clock",
    "edge.logs",
    "edge.process",
    "edge.media",
    "edge.retention",
    "edge.section",
}
GPL = {"espeakng_loader", "piper"}
VOICE_WORKER = "edge.speech.voices"


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(folder: str) -> Iterator[tuple[str, str]]:
    for name, tree in modules(folder):
        for imported in imports(tree):
            if imported.split(".")[0] in PACKAGES:
                yield name, imported


def within(imported: str, allowed: set[str]) -> bool:
    return any(imported == name or imported.startswith(name + ".") for name in allowed)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("regions", {"regions"}),
        ("control_plane", {"control_plane", "regions"}),
        ("edge", {"edge", "regions", "control_plane.contract"}),
        ("infra", {"infra", "regions"}),
    ],
)
def test_packages_import_one_way(package: str, allowed: set[str]) -> None:
    allowed_parents = {"control_plane"} if package == "edge" else set()
    wrong = [
        (name, imported)
        for name, imported in ours(package)
        if not within(imported, allowed) and imported not in allowed_parents
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_the_edge_do_not_import_one_another(room: str) -> None:
    own = HALLWAY | {f"edge.{room}", "edge.outbound"}
    wrong = [
        (name, imported)
        for name, imported in ours("edge")
        if name.startswith(f"edge.{room}.")
        and imported.startswith("edge.")
        and not within(imported, own)
    ]
    assert wrong == []


def test_recordings_know_the_session_that_they_are_of_and_no_other_room() -> None:
    own = HALLWAY | {"edge.recording", "edge.session"}
    wrong = [
        (name, imported)
        for name, imported in ours("edge")
        if name.startswith("edge.recording.")
        and imported.startswith("edge.")
        and not within(imported, own)
    ]
    assert wrong == []


def test_media_imports_nothing_above_it() -> None:
    wrong = [
        (name, imported)
        for name, imported in ours("edge")
        if name.startswith("edge.media") and not within(imported, {"edge.media"})
    ]
    assert wrong == []


def test_only_the_voice_worker_imports_gpl_engines() -> None:
    users = {
        name
        for folder in ("inland", "regions", "control_plane", "edge")
        for name, tree in modules(folder)
        for imported in imports(tree)
        if imported.split(".")[0] in GPL
    }
    assert users, "the rule watches nothing: the engines are gone or were renamed"
    assert {name for name in users if not name.startswith(VOICE_WORKER)} == set()


def test_only_named_places_start_tasks_outside_a_task_group() -> None:
    """A task nobody owns outlives its call; aiortc's own callbacks are the one exception."""
    wrong = []
    for folder in ("inland", "control_plane", "edge"):
        for name, tree in modules(folder):
            for node in ast.walk(tree):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr=attr)):
                        if attr in {"create_task", "ensure_future"}:
                            wrong.append((name, node.lineno))
    assert [where for where in wrong if not where[0].startswith("edge.transport.webrtc")] == []
