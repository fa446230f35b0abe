"""``inland audit``: is a node's audit log what it was when it was written?"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.audit_verify import Verdict

HELP = "Verify the audit log of a node: find what was edited, deleted, put in, moved or cut off."

EPILOG = """\
examples:
  inland audit key --config /etc/inland/edge.yaml > audit-keys.json     # once; keep it elsewhere
  inland audit verify audit.jsonl --heads audit.heads --keys audit-keys.json

Heads are the log's signed ends, one a minute while something happens; take them from where whoever
could write to the log could not write: a file on another machine, or the node's own log lines,
which carry them too. Without heads only the chain is checked: a log that was written anew from some
entry on, or cut off at its end, then passes for whole."""
VERIFY_EPILOG = """\
exit status: 0 nothing is wrong, 1 something is, or no head vouches for the log, 2 the command or a
file is wrong"""
MAX_FILE_BYTES = 1 << 30
MAX_SHOWN = 100
"""Findings that are printed; further ones are counted."""


class _Unusable(Exception):
    """A file is not what it has to be; the text says which."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="judge a log", epilog=VERIFY_EPILOG)
    verify.add_argument("log", metavar="LOG", type=Path)
    verify.add_argument(
        "--heads", metavar="FILE", type=Path, help="signed heads, one a line, or a node's own log"
    )
    verify.add_argument(
        "--keys", metavar="FILE", type=Path, help="the regions' public keys (JWK set)"
    )
    verify.add_argument("--json", action="store_true", help="for programs")
    verify.set_defaults(action=_verify)
    key = actions.add_parser("key", help="print the public key that a region's heads are under")
    key.add_argument("--config", metavar="FILE", type=Path, required=True, help="node settings")
    key.set_defaults(action=_key)


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    from edge.session.errors import KeyFileError
    from regions.strict_yaml import ConfigError

    try:
        status: int = arguments.action(arguments)
    except (_Unusable, ConfigError, KeyFileError) as error:
        print(f"inland audit: {error}", file=sys.stderr)
        return 2
    return status


def _verify(arguments: argparse.Namespace) -> int:
    from edge.audit_heads import head_texts
    from edge.audit_verify import verify
    from inland.receipt.errors import UnusableInput
    from inland.receipt.files import read_key_set

    if (arguments.heads is None) != (arguments.keys is None):
        raise _Unusable("--heads and --keys belong together: a head counts if one of them signed")
    heads: list[str] = []
    keys = {}
    if arguments.heads is not None:
        heads = head_texts(_read(arguments.heads).decode(errors="replace").splitlines())
        try:
            keys = dict(read_key_set(_read(arguments.keys), str(arguments.keys)))
        except UnusableInput as error:
            raise _Unusable(str(error)) from error
    verdict = verify(_read(arguments.log), heads, keys)
    if arguments.json:
        print(json.dumps(_as_json(verdict), indent=2))
    else:
        _tell(verdict, str(arguments.log), headed=arguments.heads is not None)
    vouched = arguments.heads is None or verdict.covered > 0
    return 0 if vouched and not verdict.findings else 1


def _key(arguments: argparse.Namespace) -> int:
    from edge.audit_heads import AUDIT_PURPOSE, HeadKey
    from edge.session.keys import LocalKeyFile
    from edge.session.receipt import public_jwk
    from edge.settings import load_settings

    settings = load_settings(arguments.config)
    file = LocalKeyFile.open(settings.key_path, settings.region, make=False)
    key = HeadKey(file.subkey(AUDIT_PURPOSE)).public
    print(json.dumps({"keys": [public_jwk(key)]}))
    return 0


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _Unusable(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise _Unusable(f"{path}: more than {MAX_FILE_BYTES >> 20} MB")
    return raw


def _tell(verdict: Verdict, name: str, *, headed: bool) -> None:
    for finding in verdict.findings[:MAX_SHOWN]:
        where = "" if finding.line is None else f" (line {finding.line})"
        print(f"{finding.kind}: {finding.text}{where}")
    if len(verdict.findings) > MAX_SHOWN:
        print(f"and {len(verdict.findings) - MAX_SHOWN} more")
    if not verdict.findings:
        print(f"{name}: {verdict.entries} entries, each following the one before")
    if not headed:
        print("no heads were given: that it was not cut off or written anew is not checked")
    elif verdict.covered < verdict.entries:
        print(f"signed heads vouch for entries 1 to {verdict.covered}, and for none after")
    else:
        print("signed heads vouch for all of them")


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "entries": verdict.entries,
        "covered": verdict.covered,
        "findings": [
            {
                "kind": finding.kind,
                "first": finding.first,
                "last": finding.last,
                "line": finding.line,
                "text": finding.text,
            }
            for finding in verdict.findings
        ],
    }
