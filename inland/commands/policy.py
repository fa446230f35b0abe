"""``inland policy``: the law of a whole site as one signed file, and what a new one changes."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from regions.bundle import Body

HELP = "Sign the law and the tenants' contracts as a bundle, look into one, compare two."

EPILOG = """\
examples:
  inland policy key policy.key
  inland policy sign --key policy.key --contracts contracts.yaml -o policy.bundle
  inland policy sign --key policy.key --contracts contracts.yaml --after policy.bundle \\
      -o policy.bundle
  inland policy show policy.bundle --trust ed25519:…
  inland policy diff old.bundle new.bundle

docs/policy.md tells the whole of it: publishing, taking back, replacing the key.

exit status: 0 done, 1 show: the bundle is not signed by a trusted key; diff: something is wider
than before, 2 the command or a file is wrong"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _configure_key(actions.add_parser("key", help="make a policy key; print its public key"))
    _configure_sign(actions.add_parser("sign", help="sign the next bundle"))
    show = actions.add_parser("show", help="what a bundle says and whom it lets where")
    show.add_argument("bundle", type=Path, metavar="BUNDLE")
    _add_trust(show, "check its signature with this public key; may be repeated")
    _add_reading(show)
    show.set_defaults(action=_show)
    diff = actions.add_parser(
        "diff", help="which regions whose data loses or wins from one bundle to another"
    )
    diff.add_argument("old", type=Path, metavar="OLD")
    diff.add_argument("new", type=Path, metavar="NEW")
    _add_trust(diff, "check both signatures with this public key; may be repeated")
    _add_reading(diff)
    diff.set_defaults(action=_diff)
    replica = actions.add_parser(
        "replica-key", help="what other regions seal replicas for this one with"
    )
    replica.add_argument("--region", required=True, metavar="ID", help="whose key file it is")
    where = replica.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path, metavar="DIR", help="a node's data folder")
    where.add_argument("--key-file", type=Path, metavar="FILE", help="the region's key file")
    replica.set_defaults(action=_replica_key)


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    from control_plane.errors import KeyFileError
    from inland.policy.errors import PolicyCommandError
    from regions.errors import ConfigError

    try:
        status: int = arguments.action(arguments)
    except (ConfigError, KeyFileError, PolicyCommandError) as error:
        print(f"inland policy: {error}", file=sys.stderr)
        return 2
    return status


def _configure_key(key: argparse.ArgumentParser) -> None:
    key.add_argument("file", type=Path, metavar="FILE", help="made, 0600, when there is none")
    key.set_defaults(action=_key)


def _configure_sign(sign: argparse.ArgumentParser) -> None:
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="the policy key")
    sign.add_argument(
        "--after",
        type=Path,
        metavar="BUNDLE",
        help="the bundle in force: what is not named again goes on as it is there",
    )
    sign.add_argument(
        "--catalogue",
        metavar="FILE",
        help="regions and law, or `shipped` (without --after: the one that comes with Inland)",
    )
    sign.add_argument("--contracts", type=Path, metavar="FILE", help="tenants' contracts")
    sign.add_argument(
        "--replica-keys", type=Path, metavar="FILE", help="regions' replica keys (replica-key)"
    )
    sign.add_argument(
        "--tenants", type=Path, metavar="FILE", help="refuse contracts of tenants not in there"
    )
    sign.add_argument("--serial", type=int, metavar="N", help="default: the next one")
    _add_trust(sign, "the public key of --after, where another one signed it")
    sign.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    sign.set_defaults(action=_sign)


def _add_trust(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("--trust", action="append", default=[], metavar="KEY", help=words)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", metavar="DAY", help="as of this day, such as 2027-01-31 (today)")
    parser.add_argument("--json", action="store_true", help="for programs")


def _key(arguments: argparse.Namespace) -> int:
    from control_plane.tokens import load_or_create_key
    from regions.policy_keys import policy_key_text

    made = not arguments.file.exists()
    key = load_or_create_key(arguments.file)
    if made:
        words = "is made: who has it can change every tenant's law; keep it off the machines"
        print(f"{arguments.file}: {words}", file=sys.stderr)
    print(policy_key_text(key.public_key()))
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    from control_plane.tokens import load_key
    from inland.policy.changes import changes
    from inland.policy.inputs import read_trusted
    from inland.policy.report import summary, warning
    from inland.policy.signing import Wanted, before, next_body, put, signed

    wanted = Wanted(
        after=arguments.after,
        catalogue=arguments.catalogue,
        contracts=arguments.contracts,
        replica_keys=arguments.replica_keys,
        tenants=arguments.tenants,
        serial=arguments.serial,
    )
    key = load_key(arguments.key)
    now = time.time()
    old = before(wanted, key, [read_trusted(text) for text in arguments.trust])
    body = next_body(wanted, old, issued_at=int(now))
    bundle = signed(body, key)
    put(arguments.output, bundle, instead_of=arguments.after)
    print(f"{arguments.output}: {summary(body)}")
    if old is not None:
        words = warning(list(changes(old, body, on=_day(None))))
        if words:
            print(words, file=sys.stderr)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from inland.policy.inputs import read_bundle, read_trusted, unverified
    from inland.policy.report import body_as_json, print_body
    from regions.bundle import BundleRefused, claimed, verify

    trusted = [read_trusted(text) for text in arguments.trust]
    on = _day(arguments.on)
    body = unverified(arguments.bundle)
    raw = read_bundle(arguments.bundle)
    key, refusal = claimed(raw)[0], ""
    if trusted:
        try:
            verify(raw, trusted)
        except BundleRefused as refused:
            refusal = str(refused)
    good = None if not trusted else not refusal
    if arguments.json:
        print(json.dumps({**body_as_json(body, on), "key": key, "verified": good}, indent=2))
    else:
        checked = "good" if good else f"NOT GOOD: {refusal}"
        print(f"signature   {'not checked: give --trust' if good is None else checked}, key {key}")
        print_body(body, on)
    return 1 if good is False else 0


def _diff(arguments: argparse.Namespace) -> int:
    from inland.policy import report
    from inland.policy.changes import changes, places, replica_keys

    old, new = _both(arguments)
    on = _day(arguments.on)
    found = list(changes(old, new, on=on))
    notes = [*places(old.catalogue, new.catalogue), *replica_keys(old, new)]
    if new.serial <= old.serial:
        notes.append(
            f"number {new.serial} does not replace number {old.serial}: give it a higher one"
        )
    if arguments.json:
        facts = {
            "old": {"serial": old.serial, "policy": old.law().policy},
            "new": {"serial": new.serial, "policy": new.law().policy},
            "on": on.isoformat(),
            "wider": report.wider(found),
            "changes": report.changes_as_json(found),
            "notes": notes,
        }
        print(json.dumps(facts, indent=2))
    else:
        print(f"old  {report.summary(old)}\nnew  {report.summary(new)}\n")
        report.print_changes(found, notes)
        if report.wider(found):
            print(report.warning(found), file=sys.stderr)
    return 1 if report.wider(found) else 0


def _both(arguments: argparse.Namespace) -> tuple[Body, Body]:
    from inland.policy.inputs import read_trusted, unverified, verified

    trusted = [read_trusted(text) for text in arguments.trust]
    if trusted:
        return verified(arguments.old, trusted), verified(arguments.new, trusted)
    return unverified(arguments.old), unverified(arguments.new)


def _replica_key(arguments: argparse.Namespace) -> int:
    import base64

    from edge.session.errors import KeyFileError
    from edge.session.keys import LocalKeyFile
    from edge.session.replica import replica_public_key
    from inland.policy.errors import UnusableInput

    path = arguments.key_file or arguments.data / "region.key"
    try:
        keys = LocalKeyFile.open(path, arguments.region, make=False)
    except KeyFileError as error:
        raise UnusableInput(str(error)) from error
    print(f"{arguments.region}: {base64.b64encode(replica_public_key(keys)).decode()}")
    return 0


def _day(text: str | None) -> date:
    from datetime import date

    from inland.policy.errors import UnusableInput
    from regions.policy import day_of

    if text is None:
        return day_of(time.time())
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UnusableInput(f"--on {text!r}: is no day such as 2027-01-31") from error
