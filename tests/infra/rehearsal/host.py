"""Runs a program as ``pulumi-language-python-exec`` does: a process of its own, told by stdin.

Nothing of this project is imported here: the program finds what it imports by itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import pulumi
from pulumi.runtime import run_in_stack, set_all_config, settings

FAILED = 32
"""The exit code for a program that failed: its words are on stderr."""


def main() -> NoReturn:
    told = json.load(sys.stdin)
    folder = Path(told["folder"])
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    settings.configure(
        settings.Settings(
            project=told["project"],
            stack=told["stack"],
            monitor=told["address"],
            engine=told["address"],
            parallel=4,
            dry_run=told["preview"],
            organization="organization",
            root_directory=str(folder),
        )
    )
    set_all_config(told["config"], told["secrets"])
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    code = 0
    try:
        loop.run_until_complete(run_in_stack(lambda: _run(folder)))
    except pulumi.RunError as error:
        print(error, file=sys.stderr)  # noqa: T201
        code = FAILED
    except BaseException:
        traceback.print_exc()
        code = FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of gRPC would keep a failed program's process alive.
    os._exit(code)


def _run(folder: Path) -> None:
    runpy.run_path(str(folder / "__main__.py"), run_name="__main__")


if __name__ == "__main__":
    main()
