"""``inland regions cost``: what a stack costs a month, and a minute of a call."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from inland.commands.regions.actions import Actions, add_action, add_stack
from inland.table import print_table


def configure(actions: Actions) -> None:
    """Add the action."""
    cost = add_action(actions, "cost", "estimate what a stack costs a month and a minute of a call")
    add_stack(cost)
    cost.add_argument(
        "--calls", type=int, default=100, metavar="N", help="calls at a time (default 100)"
    )
    cost.add_argument(
        "--hours-per-day",
        type=float,
        metavar="H",
        help="hours of each day with that many calls, none in the others (default 24)",
    )
    cost.add_argument("--prices", type=Path, metavar="FILE", help="another price table (YAML)")
    cost.add_argument("--json", action="store_true", help="print JSON for programs")
    cost.set_defaults(action=_cost)


def _cost(arguments: argparse.Namespace) -> int:
    from infra.cost.estimate import Usage, estimate, load_prices, notes, rows
    from infra.settings.load import load_stack
    from inland.provision.project import find_project

    if arguments.calls < 0:
        raise argparse.ArgumentTypeError("--calls should be 0 or more")
    hours = arguments.hours_per_day
    if hours is not None and not 0 < hours <= 24:
        raise argparse.ArgumentTypeError("--hours-per-day should be above 0, at most 24")
    usage = Usage() if hours is None else Usage(hours_per_day=hours)
    stack = load_stack(find_project(arguments.stack, arguments.project).stack_file)
    prices = load_prices(arguments.prices)
    found = estimate(arguments.stack, stack, arguments.calls, prices, usage=usage)
    if arguments.json:
        document = {
            "stack": arguments.stack,
            "calls": found.calls,
            "usd_per_month": round(found.usd, 2),
            "usd_per_call_minute": found.usd_per_call_minute,
            "prices_read_on": str(found.read_on),
            "components": [
                {
                    "name": line.name,
                    "usd": round(line.usd, 2),
                    "basis": line.basis,
                    "confirmed": line.confirmed,
                }
                for line in found.components
            ],
            "notes": notes(found),
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    table = rows(found)
    width = max(len(usd) for _, usd, _ in table)
    shown = [(name, usd.rjust(width), basis) for name, usd, basis in table]
    print_table(("COMPONENT", "USD A MONTH".rjust(width), "COUNTED"), shown)
    print()
    for line in notes(found):
        print(line)
    return 0
