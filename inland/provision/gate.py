"""The gate: what is wrong with a stack, found without credentials, engine or cloud.

First the stack file, and those beside it where they contradict it, then the graph of the
unmodified program, as it would be up and as a preview sees it, against the residency rules.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from infra.graph.capture import ProgramError, capture
from infra.rules.model import Graph, Scope, Violation
from infra.rules.registry import check
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.load import load_control_plane_stack, load_region_stack
from infra.settings.project import check_project
from infra.settings.region import RegionStack
from infra.settings.scope import scope_of
from inland.provision.errors import GateClosed
from inland.provision.progress import component_of
from inland.provision.project import Project


@dataclass(frozen=True, slots=True)
class GateReport:
    """A stack that was looked through. ``open`` says whether it may be provisioned."""

    project: Project
    settings: RegionStack | ControlPlaneStack
    scope: Scope
    graph: Graph
    violations: tuple[Violation, ...]

    @property
    def open(self) -> bool:
        return not self.violations

    @property
    def components(self) -> dict[str, int]:
        """How many resources of the cloud each component makes, in the order they are named."""
        counts = Counter(
            component_of(resource.urn)
            for resource in self.graph.resources.values()
            if resource.custom and not resource.type.startswith("pulumi:")
        )
        return dict(sorted(counts.items()))

    @property
    def unreleased(self) -> str | None:
        """Why machines of this stack would never come up, None when they would."""
        release = self.settings.release
        if "0" * 64 in (release.sha256, release.site):
            return (
                f"{self.project.stack_file}: release: names no bundle yet: `inland release build` "
                "and `inland release site` make them and print the digests"
            )
        return None

    def require_released(self) -> None:
        """Raises ``GateClosed`` while the stack file holds the examples' digests."""
        if self.unreleased is not None:
            raise GateClosed(self.unreleased)

    def require_open(self) -> None:
        """Raises ``GateClosed`` with every violation."""
        if not self.open:
            raise GateClosed("\n".join(in_words(found) for found in self.violations))


def examine(project: Project) -> GateReport:
    """Look the stack through. Raises ``ConfigError`` and ``GateClosed`` where a file is wrong."""
    settings = _settings(project)
    problems = check_project(project.folder, only=project.stack)
    if problems:
        raise GateClosed("\n".join(problems))
    try:
        graph = capture(project.folder, project.stack)
        preview = capture(project.folder, project.stack, preview=True)
    except ProgramError as error:
        raise GateClosed(f"{project.stack}: {error}") from error
    scope = scope_of(project.stack, settings)
    violations = sorted({*check(graph, scope), *check(preview, scope)})
    return GateReport(project, settings, scope, graph, tuple(violations))


def in_words(violation: Violation) -> str:
    """One line: the rule, the resource, what is wrong."""
    name = violation.urn.rsplit("::", 1)[-1] or "stack"
    return f"{violation.rule}: {name}: {violation.message}"


def _settings(project: Project) -> RegionStack | ControlPlaneStack:
    if project.kind == "control-plane":
        return load_control_plane_stack(project.stack_file)
    return load_region_stack(project.stack_file)
