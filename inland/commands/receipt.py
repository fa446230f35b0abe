"""``inland receipt``: where a call's data was, as its region signed it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inland.receipt.files import Bundle, Keys

HELP = "Fetch and verify the receipts of a session: where its data was, signed by the region."

SECRET_VARIABLE = "INLAND_NODE_SECRET"

EPILOG = f"""\
examples:
  inland receipt get --edge https://edge.example.org --session s_… --tenant clinic > receipt.json
  inland receipt verify receipt.json --keys region-keys.json

`get` shows the node secret (${SECRET_VARIABLE}), or what is in --token-file: that, or the session's
own resume token. The region's key is at GET /v1/receipt-keys of its edges: fetch it once, keep it
apart from receipts.

exit status of verify: 0 the receipts are genuine and every place was inside the allowed set, 1 they
are not, a place was outside, or only the key that came with them vouches for them, 2 the command or
a file is wrong. A leg that left no receipt is named and changes no status."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="check signatures, the chain, and every place")
    verify.add_argument(
        "file", metavar="FILE", help="an edge's answer, or one receipt per line; - for stdin"
    )
    keys = verify.add_mutually_exclusive_group()
    keys.add_argument("--keys", metavar="FILE", help="the regions' public keys (JWK set)")
    keys.add_argument("--edge", metavar="URL", help="ask this edge for its region's key")
    keys.add_argument(
        "--trust-included", action="store_true", help="be content with the keys in FILE"
    )
    verify.add_argument(
        "--single", action="store_true", help="each receipt by itself, not a whole session"
    )
    verify.add_argument("--json", action="store_true", help="for programs")
    verify.set_defaults(action=_verify)
    get = actions.add_parser("get", help="fetch a session's receipts from an edge of its region")
    get.add_argument("--edge", metavar="URL", required=True)
    get.add_argument("--session", metavar="ID", required=True)
    get.add_argument("--tenant", metavar="ID", help="whose session it is; needed by operators")
    get.add_argument("--token-file", metavar="FILE", help="node secret or resume token")
    get.add_argument("--output", metavar="FILE", type=Path, help="default: standard output")
    get.set_defaults(action=_get)


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    from inland.receipt.errors import ReceiptError

    try:
        status: int = arguments.action(arguments)
    except ReceiptError as error:
        print(f"inland receipt: {error}", file=sys.stderr)
        return 2
    return status


def _verify(arguments: argparse.Namespace) -> int:
    from inland.receipt.files import read_bundle, read_file
    from inland.receipt.report import as_json, print_verdict
    from inland.receipt.verdict import judge

    bundle = read_bundle(read_file(arguments.file), arguments.file)
    keys, trusted = _keys(arguments, bundle)
    verdict = judge(bundle.receipts, keys, single=arguments.single)
    if arguments.json:
        print(json.dumps(as_json(verdict, trusted=trusted), indent=2))
    else:
        print_verdict(verdict, trusted=trusted, single=arguments.single)
    return 0 if verdict.good and (trusted or arguments.trust_included) else 1


def _keys(arguments: argparse.Namespace, bundle: Bundle) -> tuple[Keys, bool]:
    """The keys to verify with, and whether they are from elsewhere than the receipts."""
    import asyncio

    from inland.receipt.errors import UnusableInput
    from inland.receipt.fetch import fetch_keys
    from inland.receipt.files import read_file, read_key_set

    if arguments.keys is not None:
        return read_key_set(read_file(arguments.keys), arguments.keys), True
    if arguments.edge is not None:
        return read_key_set(asyncio.run(fetch_keys(arguments.edge)), arguments.edge), True
    if bundle.keys is None:
        raise UnusableInput(f"{arguments.file}: came without keys: give --keys or --edge")
    return bundle.keys, False


def _get(arguments: argparse.Namespace) -> int:
    import asyncio

    from inland.receipt.errors import UnusableInput
    from inland.receipt.fetch import fetch_receipts
    from inland.receipt.files import read_file

    token = os.environ.get(SECRET_VARIABLE, "")
    if arguments.token_file is not None:
        token = read_file(arguments.token_file).decode(errors="replace").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise UnusableInput(f"no token: set {SECRET_VARIABLE}, or give --token-file")
    body = asyncio.run(fetch_receipts(arguments.edge, arguments.session, arguments.tenant, token))
    text = body.decode(errors="replace")
    if arguments.output is None:
        print(text)
        return 0
    try:
        arguments.output.write_text(text + "\n")
    except OSError as error:
        raise UnusableInput(f"{arguments.output}: {error.strerror}") from error
    return 0
