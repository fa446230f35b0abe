"""Up, down and status of regions on this host. What runs is written to ``state.json``, so that a
later command finds it."""

from __future__ import annotations

import datetime as dt
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from infra.local.plan import EDGE_PORT, LocalPlan, plan_host
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.load import load_control_plane_stack, load_region_stack
from infra.settings.project import check_project
from infra.settings.region import RegionStack
from inland.provision.errors import EngineFailed, GateClosed, ProjectMissing
from inland.provision.local import host
from inland.provision.local.authority import Authority
from inland.provision.local.files import LocalFiles, Site
from inland.provision.local.programs import Program, Running, last_words, start, stop
from inland.provision.project import CONTROL_PLANE, find_project
from regions.models import Strict

READY_SECONDS = 90.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.2
STATE = "state.json"


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What `up` was told; ``site`` is a folder with agents and tenants, by default the demo's."""

    stacks: tuple[str, ...]
    project: Path | None
    data: Path
    prefix: str = "inland"
    site: Path | None = None


class LocalState(Strict):
    """What `up` made, so that a later command finds it whatever became of the stack files."""

    prefix: str
    regions: dict[str, RegionStack]
    control_plane: ControlPlaneStack
    programs: tuple[Running, ...] = ()

    @property
    def plan(self) -> LocalPlan:
        return plan_host(self.regions, self.control_plane, prefix=self.prefix)


def read_stacks(options: LocalOptions) -> LocalState:
    """The named stacks. Raises ``ConfigError``, ``GateClosed``, ``ProjectMissing``."""
    wanted = [stack for stack in options.stacks if stack != CONTROL_PLANE]
    if not wanted:
        raise GateClosed("name at least one region: the control plane comes along by itself")
    projects = [find_project(stack, options.project) for stack in (*wanted, CONTROL_PLANE)]
    problems = [line for one in projects for line in check_project(one.folder, only=one.stack)]
    if problems:
        raise GateClosed("\n".join(problems))
    regions = {one.stack: load_region_stack(one.stack_file) for one in projects[:-1]}
    control = load_control_plane_stack(projects[-1].stack_file)
    return LocalState(prefix=options.prefix, regions=regions, control_plane=control)


def up(options: LocalOptions, say: Callable[[str], None]) -> LocalPlan:
    """Make the regions and wait until every node would take a call.

    What was begun is undone when something fails. Raises ``ProvisionError``.
    """
    host.require_host()
    state = read_stacks(options)
    plan = state.plan
    host.require_room(plan)
    if (options.data / STATE).exists():
        raise GateClosed(f"{options.data}: regions run from here: `inland regions down` first")
    authority = Authority(dt.datetime.now(dt.UTC))
    programs = LocalFiles(options.data, plan, Site.find(options.site), authority).write()
    say(f"{len(plan.namespaces)} namespaces")
    host.build(plan)
    running: list[Running] = []
    try:
        for program in programs:
            running.append(start(program))
        _write_state(options.data, state.model_copy(update={"programs": tuple(running)}))
        _until_ready(plan, programs, running, say)
    except BaseException:
        stop(running, STOP_SECONDS)
        host.remove(plan)
        (options.data / STATE).unlink(missing_ok=True)
        raise
    return plan


def down(data: Path, say: Callable[[str], None], *, erase: bool) -> None:
    """End what ``up`` started, and take the namespaces away; ``erase`` also deletes the data."""
    host.require_host()
    state = _read_state(data)
    say(f"ending {sum(one.process is not None for one in state.programs)} programs")
    stop(state.programs, STOP_SECONDS)
    for trouble in host.remove(state.plan):
        say(trouble)
    (data / STATE).unlink()
    if erase:
        shutil.rmtree(data)
        say(f"erased {data}")


@dataclass(frozen=True, slots=True)
class LocalLine:
    """One thing of the host: a program, or a barrier."""

    what: str
    name: str
    ok: bool
    detail: str


def status(data: Path) -> list[LocalLine]:
    """Programs, readiness, and what the barriers refused. Raises ``ProvisionError``."""
    host.require_host()
    state = _read_state(data)
    lines = [
        LocalLine("program", one.name, one.process is not None, f"pid {one.pid}, log {one.log}")
        for one in state.programs
    ]
    lines += [LocalLine("ready", name, _ready(url), url) for name, url in _urls(state.plan)]
    for namespace, packets in host.refused(state.plan).items():
        lines.append(LocalLine("barrier", namespace, True, f"{packets} packets refused"))
    return lines


def _until_ready(
    plan: LocalPlan,
    programs: Sequence[Program],
    running: Sequence[Running],
    say: Callable[[str], None],
) -> None:
    waiting = dict(_urls(plan))
    until = time.monotonic() + READY_SECONDS
    while waiting:
        for one in running:
            if one.process is None:
                raise EngineFailed(f"{one.name} ended:\n    {last_words(one.log)}")
        for name, url in list(waiting.items()):
            if _ready(url):
                say(f"{name} is ready at {url.removesuffix('/readyz')}")
                del waiting[name]
        if waiting and time.monotonic() > until:
            logs = ", ".join(str(one.log) for one in programs if one.name in waiting)
            raise EngineFailed(f"not ready within {READY_SECONDS:.0f} s; see {logs}")
        time.sleep(POLL_SECONDS)


def _urls(plan: LocalPlan) -> list[tuple[str, str]]:
    found = [
        (f"control plane {replica.region}-{replica.letter}", f"{replica.url}/readyz")
        for replica in plan.replicas
    ]
    for region in plan.regions:
        for node in region.nodes:
            found.append((f"{node.name} node", f"http://{node.address}:{EDGE_PORT}/readyz"))
    return found


def _ready(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _write_state(data: Path, state: LocalState) -> None:
    (data / STATE).write_text(state.model_dump_json(indent=2))


def _read_state(data: Path) -> LocalState:
    try:
        return LocalState.model_validate_json((data / STATE).read_text())
    except FileNotFoundError as error:
        raise ProjectMissing(f"{data}: no regions run from here") from error
    except (OSError, ValidationError) as error:
        raise ProjectMissing(f"{data / STATE}: not what `up` wrote") from error
