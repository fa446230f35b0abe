"""The gate: what is wrong with a stack, found without credentials, engine or cloud.

First the stack file, and those beside it where they contradict it, then the graph of the
unmodified program, as it would be up and as a preview sees it, against the residency rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from infra.graph.apart import capture_apart
from infra.graph.capture import ProgramError
from infra.rules.model import Graph, Scope, Violation
from infra.rules.registry import check
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.load import load_control_plane_stack, load_region_stack
from infra.settings.project import check_project
from infra.settings.project_file import check_project_file
from infra.settings.region import RegionStack
from infra.settings.scope import scope_of
from inland.provision.errors import GateClosed
from inland.provision.progress import component_of
from inland.provision.project import Project

_RUNTIMES = {
    "region": "inland:region:RegionalRuntime",
    "control-plane": "inland:control:ControlPlaneRegion",
}
"""What a stack of each kind consists of, once per region."""


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

    def require_same(self, seen: Collection[str]) -> None:
        """Raises ``GateClosed`` when the engine's preview spoke of other resources than were
        judged: the program behaves differently there (an environment, an organisation, a date)."""
        judged = set(self.graph.resources)
        told = {urn for urn in seen if "::pulumi:pulumi:Stack::" not in urn}
        strange = sorted(judged ^ told)
        if strange:
            shown = ", ".join(urn.split("::", 2)[-1] for urn in strange[:5])
            raise GateClosed(
                f"{self.project.stack}: Pulumi's preview and the gate's graph differ in "
                f"{len(strange)} resources ({shown}): nothing is provisioned unseen"
            )

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
    problems = check_project_file(project.folder, f"inland-{project.kind}")
    problems += check_project(project.folder, only=project.stack)
    if problems:
        raise GateClosed("\n".join(problems))
    scope = scope_of(project.stack, settings)
    graph = capture_graph(project)
    preview = capture_graph(project, preview=True)
    missing = _missing(graph, scope)
    if missing:
        raise GateClosed(f"{project.stack}: the program does not make {missing}: it is not ours")
    violations = sorted({*check(graph, scope), *check(preview, scope)})
    return GateReport(project, settings, scope, graph, tuple(violations))


def capture_graph(project: Project, *, preview: bool = False) -> Graph:
    """The graph of the project's program, captured in a process of its own.

    Raises ``GateClosed`` when the program refuses, fails or does not end.
    """
    try:
        return capture_apart(project.folder, project.stack, preview=preview)
    except ProgramError as error:
        raise GateClosed(f"{project.stack}: {error}") from error


def _missing(graph: Graph, scope: Scope) -> str:
    """What every stack of its kind has and this graph lacks; empty when nothing."""
    wanted = _RUNTIMES[scope.kind]
    if len(graph.of(wanted)) != len(scope.regions):
        return f"{wanted} in {', '.join(sorted(scope.regions))}"
    return ""


def in_words(violation: Violation) -> str:
    """One line: the rule, the resource, what is wrong."""
    name = violation.urn.rsplit("::", 1)[-1] or "stack"
    return f"{violation.rule}: {name}: {violation.message}"


def _settings(project: Project) -> RegionStack | ControlPlaneStack:
    if project.kind == "control-plane":
        return load_control_plane_stack(project.stack_file)
    return load_region_stack(project.stack_file)
