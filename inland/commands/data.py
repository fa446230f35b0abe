"""``inland data``: erase a session, hand out what is kept of it, or ask whether it may be."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.settings import NodeSettings
    from inland.data.erase import Erased
    from inland.data.site import Site

HELP = "Erase the data of a session, export it for whoever it is about, or review what is stored."

EPILOG = """\
examples, on a node and as its user:
  inland data erase --config /etc/inland/edge.yaml --tenant clinic --session s_…
  inland data export --config /etc/inland/edge.yaml --tenant clinic --session s_… --output out.json
  inland data erase --config … --tenant clinic --subject +493012345678 --dry-run
  inland data erase --config … --tenant clinic --subject 4711 --kind customer_number
  inland data export --config … --tenant clinic --subject 030/12345678 --country DE --output FOLDER
  inland data review --config /etc/inland/edge.yaml

All are written into the node's audit log, a subject as its keyed hash. A subject is the number on a
phone call's line (--kind phone), or the value of a slot that the agent's file names in `subject`.
Only this region's sessions are found: ask in every region that serves the tenant. Callers without
a number, of agents without such a slot, are found by --session alone: the tenant knows which was
whose."""
ERASE_EPILOG = """\
The session's keys are destroyed first. A copy of the session store, however old, holds no keys and
is unreadable from then on, unless the keys were copied as well: see "Backups" in docs/edge.md.
Records and receipts of calls stay: they hold nothing personal.

exit status: 0 erased (with --dry-run: found), 1 there was nothing of a session or of the subject,
or copies of it stay readable (the text says why), 2 the command, the settings or a service is
wrong"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inland.commands import data_review

    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    erase = actions.add_parser(
        "erase",
        help="destroy a session's keys and delete what they opened",
        epilog=ERASE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export = actions.add_parser(
        "export",
        help="write down everything that is kept of a session",
        epilog="exit status: 0 done, 1 no such session, 2 something is wrong",
    )
    review = actions.add_parser(
        "review", help="list what is stored and may not be any more, by the law in force"
    )
    for action in (erase, export, review):
        action.add_argument(
            "--config", metavar="FILE", type=Path, required=True, help="a node's settings (YAML)"
        )
    data_review.configure(review, tenant_id)
    for action in (erase, export):
        action.add_argument(
            "--tenant", metavar="ID", required=True, type=tenant_id, help="whose session it is"
        )
        whose = action.add_mutually_exclusive_group(required=True)
        whose.add_argument(
            "--session", metavar="ID", action="append", type=session_id, help="may be given again"
        )
        whose.add_argument(
            "--subject", metavar="VALUE", help="every session of a person: +493012345678"
        )
        action.add_argument(
            "--kind", metavar="phone|SLOT", default=None, help="what --subject is (default: phone)"
        )
        action.add_argument(
            "--country", metavar="CC", help="whose national form a number without a plus has: DE"
        )
    erase.add_argument("--json", action="store_true", help="for programs")
    erase.add_argument(
        "--dry-run", action="store_true", help="with --subject: only say what would be erased"
    )
    erase.set_defaults(action=_erase)
    export.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="made for you alone; default: standard output; a folder with --subject",
    )
    export.add_argument(
        "--recordings",
        metavar="FOLDER",
        type=Path,
        help="write recordings there too, SESSION-LEG.flac; without it they are only listed",
    )
    export.set_defaults(action=_export)


def session_id(text: str) -> str:
    """An option's value that is a session's id."""
    if re.fullmatch(r"(?!\.)[0-9A-Za-z._-]{1,64}", text) is None:
        raise argparse.ArgumentTypeError("is no session's id: letters, digits, '.', '_' and '-'")
    return text


def tenant_id(text: str) -> str:
    """An option's value that is a tenant's id: it names a folder, and a part of a store."""
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", text) is None:
        raise argparse.ArgumentTypeError(
            "is no tenant's id: small letters, digits, '.', '_' and '-'"
        )
    return text


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    import asyncio

    from edge.logs import configure_logging
    from edge.recording.errors import RecordingError
    from edge.session.errors import SessionError
    from edge.settings import load_settings
    from inland.data.errors import DataError
    from regions.strict_yaml import ConfigError

    configure_logging("warning")
    if arguments.subject is None and (arguments.kind or arguments.country or _dry(arguments)):
        print("inland data: --kind, --country and --dry-run go with --subject", file=sys.stderr)
        return 2
    try:
        settings = load_settings(arguments.config)
        action = arguments.action if arguments.subject is None else _action_of_subject(arguments)
        status: int = asyncio.run(action(arguments, settings))
    except (ConfigError, DataError, RecordingError, SessionError) as error:
        print(f"inland data: {error}", file=sys.stderr)
        return 2
    return status


def _dry(arguments: argparse.Namespace) -> bool:
    return bool(getattr(arguments, "dry_run", False))


def _action_of_subject(arguments: argparse.Namespace) -> Callable[..., Coroutine[Any, Any, int]]:
    from inland.commands import data_subject

    if arguments.action is _erase:
        return data_subject.erase_subject
    return data_subject.export_subject


async def _erase(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    from inland.data.erase import erase

    done = await _each(arguments, settings, erase)
    if arguments.json:
        print(json.dumps([as_json(one) for one in done], indent=2))
    else:
        for one in done:
            print("\n".join(told(one, settings)))
    return 0 if all(one.complete for one in done) else 1


async def _export(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    from edge.session.errors import UnknownSession
    from inland.data.export import export

    try:
        documents = await _each(
            arguments, settings, partial(export, recordings=arguments.recordings)
        )
    except UnknownSession as error:
        print(f"inland data: {error}", file=sys.stderr)
        return 1
    text = json.dumps(documents, indent=2) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    return save(arguments.output, text)


async def _each(
    arguments: argparse.Namespace,
    settings: NodeSettings,
    work: Callable[[Site, str, str], Awaitable[Any]],
) -> list[Any]:
    from inland.data.site import open_site

    async with open_site(settings) as site:
        return [await work(site, arguments.tenant, each) for each in arguments.session]


def save(path: Path, text: str) -> int:
    """Write a new file that nobody else can read; returns the exit status."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        print(f"inland data: {path}: {error.strerror}", file=sys.stderr)
        return 2
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return 0


def as_json(done: Erased) -> dict[str, object]:
    """For programs."""
    return {
        "session": done.session_id,
        "keys": done.keys,
        "entries": done.entries,
        "recordings": done.recordings,
        "proven": done.proven,
        "complete": done.complete,
    }


def told(done: Erased, settings: NodeSettings) -> list[str]:
    """For people."""
    if not done.found:
        return [f"{done.session_id}: there is nothing of it here"]
    lines = [
        f"{done.session_id}: {done.keys} keys destroyed, "
        + ("entries deleted" if done.entries else "no entries were left")
    ]
    if done.recordings is None:
        lines.append(
            "  its recordings are unreadable from now on, and could not be deleted: do it again"
        )
    elif done.recordings:
        lines.append(f"  {done.recordings} segments of recordings deleted")
    if done.proven is False:
        lines.append(
            "  its key was in the store itself, as the version before had it: copies of the store "
            "stay readable until they are deleted"
        )
    elif done.proven:
        lines.append("  what the store had of it a moment ago opens no more, as no copy does")
    if settings.store is not None and not settings.keys.apart:
        lines.append(
            "  sessions and keys are on one server (no keys.redis): delete copies of its data"
        )
    if settings.store is not None:
        lines.append(
            "  with appendonly yes, have the server rewrite its file: BGREWRITEAOF, as its operator"
        )
    return lines
