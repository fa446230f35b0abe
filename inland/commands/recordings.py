"""``inland recordings``: which calls were recorded, and one of them as a sound file."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inland.commands.data import session_id, tenant_id

if TYPE_CHECKING:
    from edge.settings import NodeSettings
    from inland.data.recordings import Exported

HELP = "List recorded calls, or export one as a stereo sound file."

EPILOG = """\
examples, on a node and as its user:
  inland recordings list --config /etc/inland/edge.yaml --tenant clinic
  inland recordings export --config /etc/inland/edge.yaml --tenant clinic s_… --output call.wav

The caller is on the left, the agent on the right. Each leg of a session, the first call and every
reconnect, is a recording of its own: with several, call.wav becomes call-1.wav, call-2.wav. Both
commands are written into the node's audit log. `inland data erase` destroys recordings.

exit status: 0 done, 1 there is none, or it is not whole (the text says what is missing), 2 the
command, the settings or a service is wrong, or a recording was altered"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="which sessions of a tenant have recordings")
    export = actions.add_parser("export", help="write a session's recordings into files")
    for action in (listing, export):
        action.add_argument(
            "--config", metavar="FILE", type=Path, required=True, help="a node's settings (YAML)"
        )
        action.add_argument(
            "--tenant", metavar="ID", required=True, type=tenant_id, help="whose session it is"
        )
        action.add_argument("--json", action="store_true", help="for programs")
    listing.add_argument("session", metavar="SESSION", nargs="?", type=session_id)
    listing.set_defaults(action=_list)
    export.add_argument("session", metavar="SESSION", type=session_id)
    export.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True,
        help="ends with .wav or .flac; made for you alone",
    )  # fmt: skip
    export.set_defaults(action=_export)


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
    try:
        settings = load_settings(arguments.config)
        status: int = asyncio.run(arguments.action(arguments, settings))
    except (ConfigError, DataError, RecordingError, SessionError) as error:
        print(f"inland recordings: {error}", file=sys.stderr)
        return 2
    return status


async def _list(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    from dataclasses import asdict

    from inland.data.recordings import list_recordings
    from inland.data.site import open_site

    async with open_site(settings) as site:
        found = await list_recordings(site, arguments.tenant, arguments.session)
    if arguments.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for one in found:
            legs = ", ".join(f"leg {leg}: {count}" for leg, count in one.legs.items())
            print(f"{one.session}  segments of {legs or 'none'}  deleted {_day(one.ends_at)}")
    return 0 if found else 1


async def _export(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    from inland.data.recordings import export_recordings
    from inland.data.site import open_site

    output: Path = arguments.output

    def place(leg: int, legs: int) -> Path:
        return output if legs == 1 else output.with_stem(f"{output.stem}-{leg}")

    async with open_site(settings) as site:
        done = await export_recordings(site, arguments.tenant, arguments.session, place)
    if arguments.json:
        print(json.dumps([one.as_json() for one in done], indent=2))
    for one in () if arguments.json else done:
        print("\n".join(_told(one)))
    if not done:
        print(f"inland recordings: {arguments.session}: there is no recording", file=sys.stderr)
    return 0 if done and all(one.whole for one in done) else 1


def _told(done: Exported) -> list[str]:
    lines = [f"{done.file}: leg {done.leg}, {done.seconds:.1f} s from {_moment(done.began)}"]
    lines += [f"  {begin:.1f} to {end:.1f} s were not kept" for begin, end in done.gaps]
    if done.ended is None:
        lines.append("  its end is not there: its node died, or the end was taken away")
    elif done.ended == "law":
        lines.append("  it ends where the law or the tenant's contract let it go on no more")
    return lines


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
