"""What the actions of ``inland regions`` share: their parser's type and the common options."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    Actions: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Actions = object

STATUS = "exit status: 0 done, 1 a rule or the cloud says no, 2 the command or a file is wrong"


def add_action(
    actions: Actions, name: str, help_text: str, epilog: str = STATUS
) -> argparse.ArgumentParser:
    """A parser for one action, whose epilog keeps its lines."""
    return actions.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_stack(parser: argparse.ArgumentParser) -> None:
    """The stack that is meant, and where its files are."""
    parser.add_argument("stack", metavar="REGION", help=_STACK)
    _add_project(parser)


def add_stacks(parser: argparse.ArgumentParser, *, least: Literal["*", "+"] = "+") -> None:
    """Several stacks, and which kind of machines they are on."""
    parser.add_argument("stacks", metavar="REGION", nargs=least, help=_STACK)
    _add_project(parser)
    group = parser.add_argument_group("target")
    group.add_argument(
        "--target",
        choices=("aws", "local"),
        default="aws",
        help="aws (default), or local: namespaces of this Linux host, as root, without a cloud",
    )
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=DATA,
        help="local: where the regions' data is (default: %(default)s)",
    )


DATA = Path("/var/lib/inland/local")
_STACK = "a stack: eu-central-1, eu-central-1.bank (a tenant's own account), control-plane"


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """What only making local regions asks for."""
    parser.add_argument(
        "--prefix",
        default="inland",
        type=_prefix,
        help="local: how the namespaces' names begin (default: %(default)s)",
    )


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]{0,8}", text):
        raise argparse.ArgumentTypeError("should be 1 to 9 lower case letters and digits")
    return text


def _add_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="folder with your stack files, from `inland regions init` (default: the examples)",
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask before anything changes")


class Refused(Exception):
    """The person said no, or could not be asked."""


def confirm(question: str, yes: bool, *, word: str = "yes") -> None:
    """Ask in the terminal; ``word`` is what agrees. Raises ``Refused``."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nobody can be asked here: add --yes")
    if input(f"{question} Type {word!r} to go on: ").strip() != word:
        raise Refused("nothing was changed")
