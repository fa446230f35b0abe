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
from collections.abc import Callable, Iterator, Mapping
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
    try:
        with _importable(project):
            _until_done(program)
    except BaseException as error:
        raise ProgramError(_words(error)) from None
    if monitor.errors:
        raise ProgramError("\n".join(monitor.errors))
    return monitor.graph()


def _until_done(program: Callable[[], None]) -> None:
    """Run the program in a loop that does not speak of the tasks a failed program leaves behind."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: None)
        runner.run(run_in_stack(program))


@contextmanager
def _importable(project: Path) -> Iterator[None]:
    """A program may import what lies beside it."""
    sys.path.insert(0, str(project))
    try:
        yield
    finally:
        sys.path.remove(str(project))


def _words(error: BaseException) -> str:
    """The program's own refusals as they are; of other errors also the type and the line."""
    module = type(error).__module__
    if isinstance(error, pulumi.RunError) or module.split(".")[0] in ("infra", "regions"):
        return str(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not _library(frame.filename)
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {text}" if frames else text


def _library(filename: str) -> bool:
    return filename.startswith("<frozen") or any(
        filename.startswith(folder) for folder in sysconfig.get_paths().values() if folder
    )
