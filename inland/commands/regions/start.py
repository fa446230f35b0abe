"""``inland regions init``: a folder with stack files of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from inland.commands.regions.actions import Actions, add_action


def configure(actions: Actions) -> None:
    """Add the action."""
    init = add_action(actions, "init", "copy the example stacks into a folder of your own")
    init.add_argument("folder", type=Path, metavar="DIR", help="a folder, made if it is not there")
    init.set_defaults(action=_init)


def _init(arguments: argparse.Namespace) -> int:
    from inland.provision.project import copy_projects

    written = copy_projects(arguments.folder)
    for path in written:
        print(path)
    print(
        f"\nEdit the stack files (account, domain, zone), then: inland regions plan REGION "
        f"--project {arguments.folder}"
    )
    return 0
