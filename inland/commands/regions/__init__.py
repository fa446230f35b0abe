"""``inland regions``: the map and its law, and the stacks that make regions real."""

from __future__ import annotations

import argparse
import sys

from inland.commands.regions import apply, check, estimate, law, look, plan, start
from inland.commands.regions.actions import Refused

HELP = "List and explain regions, and provision them: plan, up, down, status."

EPILOG = """\
from nothing to a region: `init DIR` copies the example stacks, `plan REGION` checks one without
credentials, `up REGION` makes it. docs/deploy.md goes through it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for part in (law, check, start, plan, apply, look, estimate):
        part.configure(actions)


def run(arguments: argparse.Namespace) -> int:
    """Run one action; 0 done, 1 the answer is no, 2 the command or a file is wrong."""
    from inland.provision.errors import (
        CloudFailed,
        EngineFailed,
        GateClosed,
        ProvisionError,
    )
    from regions.errors import ConfigError

    try:
        status: int = arguments.action(arguments)
    except (ConfigError, argparse.ArgumentTypeError, Refused) as error:
        print(f"inland regions: {error}", file=sys.stderr)
        return 2
    except ProvisionError as error:
        print(f"inland regions: {error}", file=sys.stderr)
        return 1 if isinstance(error, GateClosed | EngineFailed | CloudFailed) else 2
    return status
