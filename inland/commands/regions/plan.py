"""``inland regions plan``: what a stack would be, and whether it may."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from inland.commands.regions.actions import Actions, add_action, add_stack
from inland.table import print_table

if TYPE_CHECKING:
    from inland.provision.gate import GateReport


def configure(actions: Actions) -> None:
    """Add the action."""
    plan = add_action(
        actions, "plan", "check a stack against the residency rules, then show what would change"
    )
    add_stack(plan)
    plan.add_argument(
        "--gate-only",
        action="store_true",
        help="only files, graph and rules: needs neither Pulumi nor credentials",
    )
    plan.add_argument("--json", action="store_true", help="print the gate's result as JSON")
    plan.set_defaults(action=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from inland.provision.engine import Engine
    from inland.provision.gate import examine
    from inland.provision.project import find_project
    from inland.provision.screen import Screen

    report = examine(find_project(arguments.stack, arguments.project))
    if arguments.json:
        print(json.dumps(_as_json(report), indent=2))
        return 0 if report.open else 1
    print_gate(report)
    if not report.open:
        return 1
    if arguments.gate_only:
        return 0
    expected = report.graph.resources
    with Screen(f"{arguments.stack} plan", expected, sys.stderr) as screen:
        changes = Engine(report.project, report.scope, screen).preview()
    report.require_same(screen.progress.seen)
    print(f"\nup would change: {changes}")
    return 0


def print_gate(report: GateReport) -> None:
    """The gate's result for people."""
    from infra.rules.registry import RULES
    from inland.provision.gate import in_words

    scope = report.scope
    print(f"stack      {report.project.stack} ({report.project.stack_file})")
    print(f"regions    {', '.join(sorted(scope.regions))}, account {scope.account_id}")
    print(f"resources  {sum(report.components.values())}\n")
    print_table(
        ("COMPONENT", "RESOURCES"),
        [(name, str(count)) for name, count in report.components.items()],
    )
    if report.open:
        print(f"\ngate       open: {len(RULES)} residency rules kept, up and in preview")
        if report.unreleased is not None:
            print(f"\nnot yet: {report.unreleased}")
    else:
        print(f"\ngate       CLOSED: {len(report.violations)} violations")
        for violation in report.violations:
            print(f"  {in_words(violation)}")


def _as_json(report: GateReport) -> dict[str, object]:
    return {
        "stack": report.project.stack,
        "regions": sorted(report.scope.regions),
        "account": report.scope.account_id,
        "components": report.components,
        "open": report.open,
        "violations": [
            {"rule": found.rule, "urn": found.urn, "message": found.message}
            for found in report.violations
        ],
    }
