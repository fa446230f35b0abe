"""``inland data … --subject``: every session of a person."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from edge.dialog.agent import PHONE
from edge.session.errors import UnknownSession
from edge.session.subjects import Subject
from edge.settings import NodeSettings
from edge.subjects import NoSubject, read_subject
from inland.commands.data import as_json, save, told
from inland.data.erase import Erased, erase
from inland.data.errors import Unusable
from inland.data.export import export
from inland.data.site import Site, open_site
from inland.data.subjects import Found, each_of, find

_SLOT = re.compile(r"[a-z][a-z0-9_]{0,30}")
_COUNTRY = re.compile(r"[A-Z]{2}")
NOBODY = "inland data: no session of this subject is kept in this region"


async def erase_subject(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    """Erase each of them; returns the exit status. Raises ``Unusable``, ``SessionError``."""
    subject = _subject(arguments)
    async with open_site(settings) as site:
        found = await find(site, arguments.tenant, subject)
        done = [] if arguments.dry_run else await _erase_each(arguments, site, found)
    if arguments.json:
        told_of: list[dict[str, object]] = [as_json(one) for one in done]
        if arguments.dry_run:
            told_of = [{"session": each} for each in found.sessions]
        _print_json(found, told_of, dry_run=arguments.dry_run)
    elif arguments.dry_run:
        print("\n".join(found.sessions), end="\n" if found.sessions else "")
    if not found.sessions:
        print(NOBODY, file=sys.stderr)
        return 1
    if arguments.dry_run and found.more:
        print("inland data: there may be more: the list is full", file=sys.stderr)
    return 0 if all(one.complete for one in done) else 1


async def export_subject(arguments: argparse.Namespace, settings: NodeSettings) -> int:
    """Write each into a file of the folder; returns the exit status.

    One that expires or is erased meanwhile is left out. Raises ``Unusable``, ``SessionError``,
    ``RecordingError``.
    """
    subject = _subject(arguments)
    folder: Path | None = arguments.output
    if folder is None:
        raise Unusable("--output: name a folder: each session becomes a file there")
    written = 0
    async with open_site(settings) as site:
        found = await find(site, arguments.tenant, subject)
        if not found.sessions:
            print(NOBODY, file=sys.stderr)
            return 1
        _make(folder)
        async for session_id in each_of(site, arguments.tenant, found):
            try:
                document = await export(
                    site,
                    arguments.tenant,
                    session_id,
                    recordings=arguments.recordings,
                    subject=found.name,
                )
            except UnknownSession:
                continue
            status = save(folder / f"{session_id}.json", json.dumps(document, indent=2) + "\n")
            if status:
                return status
            written += 1
            _progress(written, found, session_id)
    return 0 if written else 1


async def _erase_each(arguments: argparse.Namespace, site: Site, found: Found) -> list[Erased]:
    done: list[Erased] = []
    async for session_id in each_of(site, arguments.tenant, found):
        done.append(await erase(site, arguments.tenant, session_id, subject=found.name))
        _progress(len(done), found, session_id)
        if not arguments.json:
            print("\n".join(told(done[-1], site.settings)), flush=True)
    return done


def _progress(place: int, found: Found, session_id: str) -> None:
    count = max(place, len(found.sessions))
    print(f"inland data: {place} of {count}: {session_id}", file=sys.stderr, flush=True)


def _print_json(found: Found, sessions: list[dict[str, object]], *, dry_run: bool) -> None:
    document = {"subject": found.name, "dry_run": dry_run, "sessions": sessions}
    print(json.dumps(document, indent=2))


def _subject(arguments: argparse.Namespace) -> Subject:
    """Whom the command names. Raises ``Unusable``."""
    kind, country = arguments.kind or PHONE, arguments.country
    if _SLOT.fullmatch(kind) is None:
        raise Unusable("--kind: phone, or the id of a slot: small letters, digits and '_'")
    if country is not None and (kind != PHONE or _COUNTRY.fullmatch(country) is None):
        raise Unusable("--country: two capital letters (ISO 3166-1), for --kind phone")
    try:
        return read_subject(arguments.subject, kind, country)
    except NoSubject as error:
        raise Unusable(f"--subject: {error}") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"{folder}: {error.strerror}") from error
