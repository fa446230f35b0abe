"""``--target local``: the same stacks as namespaces of this host."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from inland.commands.regions.actions import DATA, confirm
from inland.table import print_table

if TYPE_CHECKING:
    from inland.provision.local.target import LocalOptions


def up(arguments: argparse.Namespace) -> int:
    """Make the regions and wait until they take calls."""
    from inland.provision.local import target

    refuse_supplies(arguments)
    options = _options(arguments)
    plan = target.up(options, lambda line: print(line, flush=True))
    first = plan.replicas[0].url
    data = "" if arguments.data == DATA else f" --data {arguments.data}"
    names = ", ".join(region.stack for region in plan.regions)
    print(f"\n{names}: taking calls until")
    print(f"  inland regions down --target local{data}")
    print("call one of them:")
    hint = "--script booking" if arguments.site is None else "--agent AGENT --key KEY --say hello"
    print(f"  inland call --control-plane {first} --from DE {hint}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """End them."""
    from inland.provision.local import target

    if arguments.stacks:
        raise argparse.ArgumentTypeError(
            "local regions end together: name none (--data says which, when there are several)"
        )
    data = arguments.data.resolve()
    if arguments.erase_data:
        confirm(f"Erase {data}?", arguments.yes)
    target.down(data, lambda line: print(line, flush=True), erase=arguments.erase_data)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Programs, readiness and what the barriers refused."""
    from inland.provision.local import target

    lines = target.status(arguments.data.resolve())
    if arguments.json:
        rows = [
            {"what": one.what, "name": one.name, "ok": one.ok, "detail": one.detail}
            for one in lines
        ]
        print(json.dumps({"target": "local", "lines": rows}, indent=2))
    else:
        header = ("WHAT", "NAME", "STATE", "DETAIL")
        print_table(
            header, [(one.what, one.name, "ok" if one.ok else "BAD", one.detail) for one in lines]
        )
        print(f"\nlogs: {arguments.data.resolve() / 'logs'}")
    return 0 if all(one.ok for one in lines) else 1


def refuse_supplies(arguments: argparse.Namespace) -> None:
    """Options that only a cloud has a use for."""
    given = [
        name for name in ("release", "phone_secrets", "operator_key") if getattr(arguments, name)
    ]
    if given:
        option = given[0].replace("_", "-")
        raise argparse.ArgumentTypeError(
            f"--{option} is for --target aws: local nodes run this code"
        )


def _options(arguments: argparse.Namespace) -> LocalOptions:
    from inland.provision.local.target import LocalOptions

    return LocalOptions(
        stacks=tuple(arguments.stacks),
        project=arguments.project,
        data=arguments.data.resolve(),
        prefix=arguments.prefix,
        site=arguments.site,
    )
