"""``inland data review``: which sessions the law in force keeps from where they lie."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.settings import NodeSettings
    from inland.data.review import Outside, Review
    from regions.law import Law

OUTSIDE = 3
"""Exit status: some sessions that may not be here are here."""
EPILOG = """\
Live calls are ruled on by the node itself, within a minute of a new law; this rules on every
session that lies in the store, as the node would if somebody came back to it: by the bundle that
the node has kept, else by the catalogue. It says which class of data may not be stored in the
region any more, and by which rule. What cannot be judged counts as outside: a residency tag that
cannot be read or is not the session's own, a law without the region.

Nothing is destroyed without --destroy, since a wrong bundle is taken back by the next one and a key
is not. With it each session that is outside is erased as `inland data erase --session` does it,
recordings included, and the audit log names the policy and its serial; doing it again is safe. One
whose key the key service refuses, and that no rule keeps out, is only listed.

exit status: 0 every session may be here (with --destroy: those that might not are gone), 3 some may
not and are here, 2 the command, the settings or a service is wrong"""


def configure(action: argparse.ArgumentParser, tenant_id: Callable[[str], str]) -> None:
    """Add the options."""
    action.epilog = EPILOG
    action.formatter_class = argparse.RawDescriptionHelpFormatter
    action.add_argument(
        "--tenant", metavar="ID", type=tenant_id, help="only this one's (default: every tenant's)"
    )
    action.add_argument("--json", action="store_true", help="for programs")
    action.add_argument(
        "--destroy", action="store_true", help="erase what may not be here, without asking"
    )
    action.set_defaults(action=review, subject=None, kind=None, country=None)


async def review(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    """Print each session that is outside as it is found; returns the exit status.

    Raises ``ConfigError``, ``DataError``, ``SessionError``.
    """
    from inland.data.review import Review, law_of
    from inland.data.site import open_site

    async with open_site(settings) as site:
        law = law_of(site)
        done = Review(site, law, tenant=arguments.tenant, destroys=arguments.destroy)
        printed = _Document(law, settings) if arguments.json else _Text(law, settings)
        async for each in done.run():
            printed.session(each)
        printed.end(done)
    return OUTSIDE if done.left else 0


class _Text:
    """For people."""

    def __init__(self, law: Law, settings: NodeSettings) -> None:
        self._law = law
        self._settings = settings

    def session(self, found: Outside) -> None:
        from inland.commands.data import told

        print(f"{found.session_id} of {found.tenant or 'nobody knows whom'}:")
        if found.unjudged is not None:
            print(f"  cannot be judged: {found.unjudged}")
        for name, reason in found.classes.items():
            print(f"  {name.value}: {reason}")
        if found.recordings:
            print(f"  {found.recordings} segments of recordings")
        if found.erased is not None:
            print("\n".join(told(found.erased, self._settings)))
        sys.stdout.flush()

    def end(self, done: Review) -> None:
        bundle = f"bundle {self._law.serial}" if self._law.serial else "the catalogue"
        print(
            f"{self._settings.region}, by {self._law.policy} ({bundle}): sessions ruled on "
            f"{done.sessions}, outside {done.outside}, of these still here {done.left}; "
            f"without any key {done.closed}"
        )


class _Document:
    """For programs: one JSON document, written as it grows."""

    def __init__(self, law: Law, settings: NodeSettings) -> None:
        self._first = True
        head = {"region": settings.region, "policy": law.policy, "serial": law.serial}
        print(json.dumps(head)[:-1] + ', "sessions": [')

    def session(self, found: Outside) -> None:
        print(("" if self._first else ",") + json.dumps(_as_json(found)), flush=True)
        self._first = False

    def end(self, done: Review) -> None:
        counts = {
            "reviewed": done.sessions,
            "outside": done.outside,
            "left": done.left,
            "closed": done.closed,
        }
        print("], " + json.dumps(counts)[1:])


def _as_json(found: Outside) -> dict[str, Any]:
    from inland.commands.data import as_json

    return {
        "session": found.session_id,
        "tenant": found.tenant,
        "policy": found.policy,
        "classes": {name.value: reason for name, reason in found.classes.items()},
        "unjudged": found.unjudged,
        "recordings": found.recordings,
        "erased": None if found.erased is None else as_json(found.erased),
        "gone": found.gone,
    }
