"""``inland regions up | down | supply``: what changes the cloud."""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inland.commands.regions import local
from inland.commands.regions.actions import (
    Actions,
    add_action,
    add_prefix,
    add_stack,
    add_stacks,
    add_yes,
    confirm,
)
from inland.commands.regions.plan import print_gate
from inland.table import print_table

if TYPE_CHECKING:
    from inland.provision.cloud import Cloud
    from inland.provision.gate import GateReport


def configure(actions: Actions) -> None:
    """Add the actions."""
    up = add_action(actions, "up", "check stacks, then make them real, and supply their nodes")
    add_stacks(up)
    add_prefix(up)
    add_yes(up)
    _add_supplies(up)
    up.set_defaults(action=_up)
    down = add_action(actions, "down", "destroy what stacks made")
    add_stacks(down, least="*")
    add_yes(down)
    down.add_argument(
        "--erase-data",
        action="store_true",
        help="also keys, sessions and recordings, which are protected: nothing brings them back",
    )
    down.set_defaults(action=_down)
    supply = add_action(
        actions, "supply", "give a stack its secrets, and the bundles that its nodes install"
    )
    add_stack(supply)
    _add_supplies(supply)
    supply.set_defaults(action=_supply)


def _add_supplies(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("supplies")
    group.add_argument("--release", type=Path, metavar="FILE", help="from `inland release build`")
    group.add_argument(
        "--site", type=Path, metavar="FILE", help="from `inland release site`; local: the folder"
    )
    group.add_argument(
        "--phone-secrets", type=Path, metavar="FILE", help="JSON: variable name to password"
    )
    group.add_argument(
        "--operator-key", type=Path, metavar="FILE", help="control plane: file with the key"
    )


def _up(arguments: argparse.Namespace) -> int:
    if arguments.target == "local":
        return local.up(arguments)
    return max(_up_one(arguments, stack) for stack in arguments.stacks)


def _up_one(arguments: argparse.Namespace, stack: str) -> int:
    from inland.provision.cloud import Cloud
    from inland.provision.engine import Engine
    from inland.provision.gate import examine
    from inland.provision.project import find_project
    from inland.provision.screen import Screen

    report = examine(find_project(stack, arguments.project))
    print_gate(report)
    report.require_open()
    report.require_released()
    supplies = read_supplies(arguments, report)
    cloud = Cloud()
    cloud.require_account(report.scope.account_id, min(report.scope.regions))
    with Screen(f"{stack} plan", report.graph.resources, sys.stderr) as screen:
        engine = Engine(report.project, report.scope, screen)
        changes = engine.preview()
    report.require_same(screen.progress.seen)
    print(f"\nup will change: {changes}")
    confirm(f"Provision {stack}?", arguments.yes)
    with Screen(f"{stack} up", report.graph.resources, sys.stderr) as screen:
        outputs = Engine(report.project, report.scope, screen).up()
    print(f"\n{stack}: {screen.progress.summary()}")
    for name, value in sorted(outputs.items()):
        if isinstance(value, str | int):
            print(f"  {name:<24} {value}")
    return _supplied(supplies, report, cloud)


def _supply(arguments: argparse.Namespace) -> int:
    from inland.provision.cloud import Cloud
    from inland.provision.gate import examine
    from inland.provision.project import find_project

    report = examine(find_project(arguments.stack, arguments.project))
    report.require_open()
    report.require_released()
    supplies = read_supplies(arguments, report)
    cloud = Cloud()
    cloud.require_account(report.scope.account_id, min(report.scope.regions))
    return _supplied(supplies, report, cloud)


@dataclass(frozen=True, slots=True)
class Supplies:
    """What the command line gave, read and checked before anything changes."""

    bundles: dict[str, Path]
    phone: dict[str, str] | None
    operator_sha256: str | None


def read_supplies(arguments: argparse.Namespace, report: GateReport) -> Supplies:
    """Raises ``GateClosed`` where a file is missing, or not the one that the stack means."""
    from inland.provision.supply import read_phone, require_bundle

    release = report.settings.release
    given = ((release.sha256, arguments.release), (release.site, arguments.site))
    bundles = {digest: path for digest, path in given if path is not None}
    for digest, path in bundles.items():
        require_bundle(path, digest)
    phone = None if arguments.phone_secrets is None else read_phone(arguments.phone_secrets)
    return Supplies(bundles, phone, _operator(arguments.operator_key))


def _supplied(supplies: Supplies, report: GateReport, cloud: Cloud) -> int:
    from inland.provision.supply import supply_bundles, supply_secrets

    done = [
        *supply_bundles(cloud, report.graph, supplies.bundles),
        *supply_secrets(
            cloud,
            report.graph,
            phone=supplies.phone,
            operator_sha256=supplies.operator_sha256,
        ),
    ]
    print()
    print_table(
        ("REGION", "WHAT", "OUTCOME"), [(one.region, one.what, one.outcome) for one in done]
    )
    for one in done:
        if one.sha256 is not None:
            print("\nfor the control plane's stack file, under nodeSecrets:")
            print(f"  {report.project.stack}: {one.sha256}")
    empty = [one.what for one in done if one.outcome.startswith("EMPTY")]
    return 1 if empty else 0


def _operator(path: Path | None) -> str | None:
    from inland.provision.errors import GateClosed

    if path is None:
        return None
    try:
        key = path.read_text().strip()
    except OSError as error:
        raise GateClosed(f"{path}: cannot be read: {error.strerror}") from error
    if len(key) < 16:
        raise GateClosed(f"{path}: too short for a key: 16 characters at least")
    return hashlib.sha256(key.encode()).hexdigest()


def _down(arguments: argparse.Namespace) -> int:
    if arguments.target == "local":
        return local.down(arguments)
    if not arguments.stacks:
        raise argparse.ArgumentTypeError("name the REGION to destroy")
    return max(_down_one(arguments, stack) for stack in arguments.stacks)


def _down_one(arguments: argparse.Namespace, stack: str) -> int:
    from inland.provision.cloud import Cloud
    from inland.provision.engine import Engine
    from inland.provision.erase import empty_buckets, open_load_balancers
    from inland.provision.gate import examine
    from inland.provision.project import find_project
    from inland.provision.screen import Screen

    report = examine(find_project(stack, arguments.project))
    cloud = Cloud()
    cloud.require_account(report.scope.account_id, min(report.scope.regions))
    kept = [found.name for found in report.graph.resources.values() if found.protect]
    if arguments.erase_data:
        print("this destroys, and nothing brings back: " + ", ".join(kept))
        confirm("Erase it all?", arguments.yes, word=stack)
    else:
        print("kept, as they hold data: " + (", ".join(kept) or "nothing"))
        confirm(f"Destroy the rest of {stack}?", arguments.yes)
    open_load_balancers(cloud, report.graph)
    if arguments.erase_data:
        for line in empty_buckets(cloud, report.graph):
            print(line)
    with Screen(f"{stack} down", report.graph.resources, sys.stderr) as screen:
        Engine(report.project, report.scope, screen).down(keep_protected=not arguments.erase_data)
    print(f"\n{stack}: {screen.progress.summary()}")
    return 0
