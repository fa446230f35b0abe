"""``inland``: the operator's command."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Protocol, cast

from inland import __version__

COMMANDS = (
    "demo",
    "call",
    "edge",
    "sip",
    "control-plane",
    "policy",
    "regions",
    "fleet",
    "release",
    "receipt",
    "data",
    "recordings",
    "audit",
    "redis",
    "models",
    "bench",
)

EPILOG = """\
exit status: 0 done, 1 the answer is no, 2 the command or a file is wrong; `inland call --help`
lists a few more. Every command that prints a table also takes --json where programs may want it."""


class Command(Protocol):
    """A module of :mod:`inland.commands`."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def load(name: str) -> Command:
    """The command module called ``name``; its heavy imports wait until it runs."""
    module = importlib.import_module(f"inland.commands.{name.replace('-', '_')}")
    return cast(Command, module)


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="inland",
        description="Voice AI whose calls stay in the territory that their law allows.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"inland {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = load(name)
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=command.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; Python would complain once more while exiting
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main())
