"""Up, down and status of regions on this host."""

from __future__ import annotations

import datetime as dt
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from control_plane.tenants import TenantsFile
from infra.local.plan import EDGE_PORT, LocalPlan
from infra.settings.load import load_control_plane_stack, load_region_stack
from infra.settings.project import check_project
from inland.provision.errors import EngineFailed, GateClosed
from inland.provision.local import host
from inland.provision.local.authority import Authority
from inland.provision.local.files import LocalFiles, Site
from inland.provision.local.programs import Program, Running, last_words, start, stop
from inland.provision.local.state import Folder, LocalState
from inland.provision.project import CONTROL_PLANE, find_project
from regions.strict_yaml import load_yaml

READY_SECONDS = 90.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What `up` was told; ``site`` is a folder with agents and tenants, by default the demo's."""

    stacks: tuple[str, ...]
    project: Path | None
    data: Path
    prefix: str = "inland"
    site: Path | None = None


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

    What was begun is undone when something fails, or when this process is asked to end. Raises
    ``ProvisionError``.
    """
    host.require_host()
    folder = Folder(options.data)
    state = read_stacks(options)
    site = Site.find(options.site)
    require_tenants(state, site)
    plan = state.plan
    host.require_room(plan)
    folder.claim()
    programs = LocalFiles(folder.path, plan, site, Authority(dt.datetime.now(dt.UTC))).write()
    running: list[Running] = []
    folder.write(state)
    with _asked_to_end():
        try:
            say(f"{len(plan.namespaces)} namespaces")
            host.build(plan)
            for program in programs:
                running.append(start(program))
                folder.write(state.model_copy(update={"programs": tuple(running)}))
            _until_ready(plan, programs, running, say)
        except BaseException:
            say("undoing what was begun")
            stop(running, STOP_SECONDS)
            if not host.remove(plan):
                folder.forget()
            raise
    return plan


def require_tenants(state: LocalState, site: Site) -> None:
    """Raises ``GateClosed`` where stacks and site do not serve the same tenants: a caller would be
    placed, and refused by the node."""
    known = {tenant.id for tenant in load_yaml(site.tenants, TenantsFile).tenants}
    for stack, settings in state.regions.items():
        strangers = sorted({tenant.id for tenant in settings.tenants} - known)
        if strangers:
            raise GateClosed(
                f"stack {stack} serves {', '.join(strangers)}, whom {site.tenants} does not have: "
                f"it has {', '.join(sorted(known))}; mend the stack file, or name your own --site"
            )


def down(data: Path, say: Callable[[str], None], *, erase: bool) -> None:
    """End what ``up`` started, and take the namespaces away; ``erase`` also deletes the data.

    Raises ``EngineFailed`` when something could not be taken away: doing it again may help.
    """
    host.require_host()
    folder = Folder(data)
    if folder.runs or not erase:
        state = folder.read()
        say(f"ending {sum(one.process is not None for one in state.programs)} programs")
        stop(state.programs, STOP_SECONDS)
        troubles = host.remove(state.plan)
        if troubles:
            raise EngineFailed("left standing:\n" + "\n".join(troubles))
        folder.forget()
    if erase:
        folder.erase()
        say(f"erased {data}")
    else:
        say(f"the data stays in {data}; add --erase-data to delete it")


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """SIGTERM and SIGHUP as Ctrl-C, so that what was begun is undone."""
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(one, signal.default_int_handler) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


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
    state = Folder(data).read()
    lines = [
        LocalLine("program", one.name, one.process is not None, f"pid {one.pid}")
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
