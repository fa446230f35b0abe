"""``inland regions status | graph``: how a stack is, and what it is made of."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from inland.commands.regions import local
from inland.commands.regions.actions import Actions, add_action, add_stack, add_stacks
from inland.table import print_table


def configure(actions: Actions) -> None:
    """Add the actions."""
    status = add_action(actions, "status", "how stacks are: nodes, alarms, secrets, barriers")
    add_stacks(status, least="*")
    status.add_argument("--json", action="store_true", help="print JSON for programs")
    status.set_defaults(action=_status)
    graph = add_action(actions, "graph", "draw the resources of a stack, without credentials")
    add_stack(graph)
    graph.add_argument(
        "--format", choices=("svg", "mermaid"), help="default: by the file's name, else mermaid"
    )
    graph.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    graph.add_argument(
        "--depth", type=int, metavar="N", help="close components below it; 1 fits on one screen"
    )
    graph.set_defaults(action=_graph)


def _status(arguments: argparse.Namespace) -> int:
    if arguments.target == "local":
        return local.status(arguments)
    if not arguments.stacks:
        raise argparse.ArgumentTypeError("name the REGION to look at")
    return max(_status_one(arguments, stack) for stack in arguments.stacks)


def _status_one(arguments: argparse.Namespace, stack: str) -> int:
    from inland.provision.cloud import Cloud
    from inland.provision.gate import examine
    from inland.provision.project import find_project
    from inland.provision.status import ABSENT, BAD, read_status

    report = examine(find_project(stack, arguments.project))
    cloud = Cloud()
    cloud.require_account(report.scope.account_id, min(report.scope.regions))
    lines = read_status(cloud, report.graph)
    if arguments.json:
        rows = [
            {
                "region": one.region,
                "what": one.what,
                "name": one.name,
                "state": one.state,
                "detail": one.detail,
            }
            for one in lines
        ]
        print(json.dumps({"stack": stack, "lines": rows}, indent=2))
    else:
        header = ("REGION", "WHAT", "NAME", "STATE", "DETAIL")
        print_table(
            header, [(one.region, one.what, one.name, one.state, one.detail) for one in lines]
        )
        absent = sum(one.state == ABSENT for one in lines)
        bad = sum(one.state == BAD for one in lines)
        print(f"\n{len(lines) - absent - bad} ok, {bad} bad, {absent} absent")
    return 0 if all(one.state not in (ABSENT, BAD) for one in lines) else 1


def _format_of(out: Path | None) -> str:
    known = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid"}
    if out is None:
        return "mermaid"
    if out.suffix not in known:
        raise argparse.ArgumentTypeError(
            f"--out {out}: end its name in .svg or .mmd, or say --format svg or mermaid"
        )
    return known[out.suffix]


def _graph(arguments: argparse.Namespace) -> int:
    from infra.graph.mermaid import draw_mermaid
    from infra.graph.svg import draw_svg
    from inland.provision.gate import capture_graph
    from inland.provision.project import find_project

    graph = capture_graph(find_project(arguments.stack, arguments.project))
    svg = (arguments.format or _format_of(arguments.out)) == "svg"
    draw = draw_svg if svg else draw_mermaid
    text = draw(graph, arguments.depth)
    if arguments.out is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.out.write_text(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"--out {arguments.out}: {error.strerror}") from error
    print(f"{arguments.out}: {len(graph.resources)} resources")
    return 0
