"""``inland regions check``: is a catalogue or a tenants file right? By file, line and key."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inland.commands.regions.actions import Actions

if TYPE_CHECKING:
    from regions.models import Catalogue


def configure(actions: Actions) -> None:
    """Add the action."""
    check = actions.add_parser(
        "check",
        help="whether a catalogue or a tenants file is right",
        epilog="exit status: 0 it is, 1 it is not: each problem by file, line and key",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument(
        "--as",
        dest="kind",
        choices=("catalogue", "tenants"),
        help="what it is (default: tenants when it has a key `tenants`, else a catalogue)",
    )
    check.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="what a tenants file is held against"
    )
    check.add_argument("--json", action="store_true", help="print JSON for programs")
    check.set_defaults(action=_check)


def _check(arguments: argparse.Namespace) -> int:
    from control_plane.errors import SettingsError
    from regions.catalogue import load_catalogue
    from regions.errors import ConfigError
    from regions.strict_yaml import key_lines

    path: Path = arguments.file
    kind: str | None = arguments.kind
    try:
        kind = kind or ("tenants" if ("tenants",) in key_lines(path) else "catalogue")
        found = (
            _catalogue(load_catalogue(path))
            if kind == "catalogue"
            else _tenants(path, load_catalogue(arguments.catalogue))
        )
    except (ConfigError, SettingsError) as error:
        problems = str(error).splitlines()
        if arguments.json:
            print(json.dumps({"ok": False, "kind": kind, "problems": problems}, indent=2))
        else:
            print("\n".join(problems), file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"ok": True, "kind": kind, "problems": [], "found": found}, indent=2))
    else:
        print(f"{path}: right: {found}")
    return 0


def _catalogue(catalogue: Catalogue) -> str:
    return (
        f"a catalogue, {catalogue.policy}: {len(catalogue.regions)} regions, "
        f"{len(catalogue.jurisdictions)} jurisdictions, {len(catalogue.rules)} rules"
    )


def _tenants(path: Path, catalogue: Catalogue) -> str:
    from control_plane.tenants import load_tenants

    names = ", ".join(tenant.id for tenant in load_tenants(path, catalogue).all)
    return f"tenants {names}, held against {catalogue.policy}"
