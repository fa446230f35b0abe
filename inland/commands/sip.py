"""``inland sip``: what the trunks and registrars of a node answer."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.table import print_table

if TYPE_CHECKING:
    from edge.phone.logins import Logins
    from edge.phone.settings import PhoneSettings
    from inland.sip.probe import Finding

HELP = "Ask the phone trunks and registrars of a node whether they are there."

EPILOG = """\
examples:
  inland sip check --config /etc/inland/edge.yaml
  inland sip check --config edge.yaml --trunk carrier --timeout 5
  inland sip check --config edge.yaml --json | jq '.[] | select(.fine | not)'

Each trunk with an address is asked OPTIONS, each registration is made and taken back at once, from
free ports of this machine: a node that runs here meanwhile keeps its ports. A PBX that allows one
contact per extension forgets the node's own until its next refresh.

exit status: 0 all are fine, 1 something is not, 2 the command or a file is wrong."""

TIMEOUT_SECONDS = 10.0
PATIENCE_SECONDS = 2.0
"""After which somebody who waits is told for what."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="OPTIONS to each trunk, REGISTER for each registration",
        description="Ask each trunk (OPTIONS) and make each registration (REGISTER), as a table.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("--config", type=Path, required=True, help="the node's settings (YAML)")
    check.add_argument("--trunk", metavar="NAME", help="only this trunk, and what registers there")
    check.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_SECONDS,
        metavar="S",
        help=f"longest wait for one of them; default {TIMEOUT_SECONDS:g}",
    )
    check.add_argument("--json", action="store_true", help="print JSON for programs")
    check.set_defaults(action=_check)


def run(arguments: argparse.Namespace) -> int:
    """Run ``check``; the status is 0, 1 (something is not fine) or 2 (bad input)."""
    status: int = arguments.action(arguments)
    return status


def _check(arguments: argparse.Namespace) -> int:
    from edge.phone.logins import read_logins
    from edge.phone.trunk import PasswordError
    from edge.settings import load_settings
    from edge.transport.sip.net.errors import NetError
    from regions.errors import ConfigError

    if not 0.5 <= arguments.timeout <= 120.0:
        return _fail("--timeout takes 0.5 to 120 seconds")
    try:
        phone = load_settings(arguments.config).sip
        if phone is None:
            return _fail(f"{arguments.config}: takes no phone calls: there is no 'sip'")
        names = [trunk.name for trunk in phone.trunks]
        if arguments.trunk is not None and arguments.trunk not in names:
            return _fail(f"--trunk: no trunk {arguments.trunk!r}: there is {', '.join(names)}")
        logins = read_logins(phone, os.environ)
    except (ConfigError, PasswordError) as error:
        return _fail(str(error))
    try:
        findings = asyncio.run(_ask(phone, logins, arguments.trunk, arguments.timeout))
    except NetError as error:
        return _fail(str(error))
    if arguments.json:
        print(json.dumps([_as_json(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print(findings, phone, arguments.trunk)
    return 0 if all(finding.verdict.fine for finding in findings) else 1


async def _ask(
    phone: PhoneSettings, logins: Logins, trunk: str | None, seconds: float
) -> list[Finding]:
    from inland.sip.probe import questions, running

    findings: dict[int, Finding] = {}
    async with running(phone) as agent:
        asked = questions(agent, phone, logins, trunk, seconds)

        async def ask(number: int) -> None:
            findings[number] = await asked[number].ask()

        async def show_patience() -> None:
            while True:
                await asyncio.sleep(PATIENCE_SECONDS)
                left = [each.name for at, each in enumerate(asked) if at not in findings]
                print(f"inland sip: waiting for {', '.join(left)}", file=sys.stderr)

        async with asyncio.TaskGroup() as group:
            patience = group.create_task(show_patience())
            async with asyncio.TaskGroup() as asking:
                for number in range(len(asked)):
                    asking.create_task(ask(number))
            patience.cancel()
    return [findings[number] for number in sorted(findings)]


def _print(findings: Sequence[Finding], phone: PhoneSettings, trunk: str | None) -> None:
    rows = [
        (
            finding.name,
            finding.asked,
            finding.transport,
            finding.address,
            "-" if finding.status is None else f"{finding.status} {finding.reason}".strip(),
            finding.product or "-",
            "-" if finding.milliseconds is None else f"{finding.milliseconds:.0f}",
            ("" if finding.verdict.fine else "! ") + str(finding.verdict),
        )
        for finding in findings
    ]
    if rows:
        header = ("NAME", "ASKED", "OVER", "ADDRESS", "ANSWER", "PRODUCT", "MS", "VERDICT")
        print_table(header, rows)
    only_in = [
        each.name for each in phone.trunks if each.address is None and trunk in (None, each.name)
    ]
    if only_in:
        print(f"{', '.join(only_in)}: only brings calls (no 'address'), so there is nobody to ask")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "asked": finding.asked,
        "transport": finding.transport,
        "address": finding.address,
        "status": finding.status,
        "reason": finding.reason,
        "product": finding.product,
        "milliseconds": None if finding.milliseconds is None else round(finding.milliseconds, 1),
        "fine": finding.verdict.fine,
        "verdict": finding.verdict.words,
        "cure": finding.verdict.cure,
    }


def _fail(message: str) -> int:
    print(f"inland sip: {message}", file=sys.stderr)
    return 2
