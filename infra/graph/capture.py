"""The resource graph of an unmodified Pulumi program: no CLI, no plugin, no account, no network.

The program runs as Pulumi's language host would run it, against a monitor in memory. What it
registers becomes an ``infra.rules.model.Graph``; nothing is made anywhere.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import run_in_stack, set_all_config, settings

from infra.graph.monitor import Monitor
from infra.graph.project import Configuration, ProjectError, configuration
from infra.rules.model import Graph

DEFAULT_ACCOUNT = "123456789012"
_ONE_AT_A_TIME = threading.Lock()


class ProgramError(Exception):
    """The program cannot run, in its own words."""


def capture(
    project: Path,
    stack: str,
    *,
    preview: bool = False,
    program: Callable[[], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Graph:
    """Run the program of ``project`` (its ``__main__.py``, or ``program``) for one stack.

    With ``preview`` a computed value is ``UNKNOWN``, else one that looks like AWS's and is the same
    in each run. ``config`` is laid over the stack's own; with it the stack file may be absent.
    The stack itself is not in the graph. A provider's properties are JSON texts, as Pulumi sends
    them. Runs in a thread of its own, one capture at a time; the working directory stays as it is.
    Raises ProgramError.
    """
    try:
        configured = configuration(project, stack, config)
    except ProjectError as error:
        raise ProgramError(str(error)) from None
    main = project / "__main__.py"

    def run_main() -> None:
        runpy.run_path(str(main), run_name="__main__")

    with _ONE_AT_A_TIME, ThreadPoolExecutor(1) as thread:
        run = thread.submit(
            _run, project.resolve(), stack, configured, program or run_main, preview
        )
        return run.result()


def _run(
    project: Path,
    stack: str,
    configured: Configuration,
    program: Callable[[], None],
    preview: bool,
) -> Graph:
    account = configured.values.get(f"{configured.project}:accountId", DEFAULT_ACCOUNT)
    monitor = Monitor(configured.project, stack, preview=preview, account=account)
    settings.configure(
        settings.Settings(
            project=configured.project,
            stack=stack,
            monitor=monitor,
            engine=monitor,
            dry_run=preview,
            organization="organization",
            root_directory=str(project),
        )
    )
    set_all_config(dict(configured.values), list(configured.secrets))
    raised: list[tuple[BaseException, str]] = []
    try:
        with _importable(project):
            _until_done(program, raised)
    except BaseException as error:
        place = next((place for earlier, place in raised if earlier is error), _place(error))
        raise ProgramError(_words(error, place)) from None
    if monitor.errors:
        raise ProgramError("\n".join(monitor.errors))
    return monitor.graph()


def _until_done(program: Callable[[], None], raised: list[tuple[BaseException, str]]) -> None:
    """Run the program in a loop that does not speak of the tasks a failed program leaves behind.

    ``raised`` gets each error with its place; the first entry of an error counts. A future hands an
    error's traceback only to whoever asks first for its result, and that depends on timing.
    """

    async def noted(task: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await task
        except Exception as error:
            raised.append((error, _place(error)))
            raise

    def task(loop: asyncio.AbstractEventLoop, started: Any, **given: Any) -> asyncio.Task[Any]:
        return asyncio.Task(noted(started), loop=loop, **given)

    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: None)
        runner.get_loop().set_task_factory(task)
        runner.run(run_in_stack(program))


@contextmanager
def _importable(project: Path) -> Iterator[None]:
    """A program may import what lies beside it."""
    sys.path.insert(0, str(project))
    try:
        yield
    finally:
        sys.path.remove(str(project))


def _words(error: BaseException, place: str) -> str:
    """The program's own refusals as they are; of other errors also the type and the line."""
    module = type(error).__module__
    if isinstance(error, pulumi.RunError) or module.split(".")[0] in ("infra", "regions"):
        return str(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{place}: {text}" if place else text


def _place(error: BaseException) -> str:
    """The program's own file and line that raised it, or nothing where no frame is its own."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not _library(frame.filename)
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _library(filename: str) -> bool:
    return filename.startswith("<frozen") or any(
        filename.startswith(folder) for folder in sysconfig.get_paths().values() if folder
    )
