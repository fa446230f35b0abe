"""``inland models``: fetch the models that hear free speech and speak with a natural voice."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.speech.models import Model, ModelCatalogue, ModelFile, ModelStore

HELP = "List, fetch and verify the models that are not part of the installation."

LOAD_SECONDS = 120
"""Longest time that a model may take to load and run once."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every model, and whether it is here")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(action=_list)
    pull = actions.add_parser(
        "pull",
        help="fetch models; goes on where it was cut off",
        epilog="exit status: 0 all is there, 1 something could not be had, 2 the command is wrong",
    )
    pull.add_argument("names", metavar="NAME", nargs="+")
    pull.add_argument(
        "--from",
        dest="mirror",
        metavar="DIR|URL",
        help="a copy of a models folder, MODEL/FILE, instead of the catalogue's own addresses",
    )
    pull.set_defaults(action=_pull)
    verify = actions.add_parser(
        "verify",
        help="check every byte of models, and load each one once",
        epilog="exit status: 0 all are sound, 1 something is wrong, 2 the command is wrong",
    )
    verify.add_argument("names", metavar="NAME", nargs="*", help="default: what is here")
    verify.set_defaults(action=_verify)
    for action in (listing, pull, verify):
        action.add_argument(
            "--catalogue", metavar="FILE", type=Path, help="your own list of models (YAML)"
        )
        action.add_argument(
            "--models",
            metavar="DIR",
            type=Path,
            help="where models are kept (default: $INLAND_MODELS, else your data folder)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    import os

    from edge.speech.models import ModelStore, load_models
    from edge.speech.models_folder import models_folder
    from regions.errors import ConfigError

    try:
        catalogue = load_models(arguments.catalogue)
        store = ModelStore(arguments.models or models_folder(os.environ))
        status: int = arguments.action(arguments, catalogue, store)
    except (ConfigError, argparse.ArgumentTypeError) as error:
        print(f"inland models: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"inland models: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return status


def _list(arguments: argparse.Namespace, catalogue: ModelCatalogue, store: ModelStore) -> int:
    if arguments.json:
        print(json.dumps([_row(model, store) for model in catalogue.models], indent=2))
        return 0
    print(f"folder  {store.root}\n")
    rows = [("NAME", "KIND", "LANGUAGE", "SIZE", "HERE", "LICENCE")]
    rows += [
        (
            model.name,
            model.kind,
            model.language,
            f"{model.size / 1e6:.0f} MB",
            store.presence(model).value,
            model.licence,
        )
        for model in catalogue.models
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row, note in zip(rows, ("", *(model.note for model in catalogue.models)), strict=True):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
        if note:
            print(f"    {note}")
    return 0


def _row(model: Model, store: ModelStore) -> dict[str, object]:
    return {
        "name": model.name,
        "kind": model.kind,
        "language": model.language,
        "size": model.size,
        "here": store.presence(model).value,
        "folder": str(store.root / model.name),
        "licence": model.licence,
        "source": model.source,
        "note": model.note,
    }


def _pull(arguments: argparse.Namespace, catalogue: ModelCatalogue, store: ModelStore) -> int:
    import asyncio

    from inland.pull import Puller, PullError

    models = _named(arguments.names, catalogue)
    for model in models:
        print(f"{model.name}: {model.size / 1e6:.1f} MB, licence {model.licence}, {model.source}")
    bar = _Bar()
    try:
        asyncio.run(Puller(store, arguments.mirror).pull(models, bar.show))
    except PullError as error:
        bar.end()
        print(f"inland models: {error}", file=sys.stderr)
        return 1
    bar.end()
    print(f"here: {', '.join(model.name for model in models)} in {store.root}")
    return 0


def _verify(arguments: argparse.Namespace, catalogue: ModelCatalogue, store: ModelStore) -> int:
    from edge.speech.models import Presence

    models = _named(arguments.names, catalogue) or [
        model for model in catalogue.models if store.presence(model) is not Presence.ABSENT
    ]
    if not models:
        print(f"no model in {store.root}: fetch one with `inland models pull NAME`")
        return 0
    sound = True
    for model in models:
        if problems := store.problems(model):
            cure = f"fetch it again with `inland models pull {model.name}`"
        elif problem := _load(model, store):
            problems, cure = [problem], "its files are right, so this machine cannot use it"
        else:
            print(f"{model.name}: sound, and it loads")
            continue
        sound = False
        print(f"{model.name}: {cure}")
        for line in problems:
            print(f"    {line}")
    return 0 if sound else 1


def _load(model: Model, store: ModelStore) -> str | None:
    """Load it in a child process, which it may end; returns what went wrong."""
    import subprocess

    paths = [f"{file.role}={store.path(model, file)}" for file in model.files]
    try:
        child = subprocess.run(
            [sys.executable, "-m", "edge.speech.trial", model.kind, *paths],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"it did not load in {LOAD_SECONDS} s"
    if child.returncode == 0:
        return None
    said = (child.stdout.strip() or child.stderr.strip()).decode(errors="replace").splitlines()
    how = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
    return f"loading it ended with {how}: {said[-1][:300] if said else 'no word'}"


def _named(names: list[str], catalogue: ModelCatalogue) -> list[Model]:
    import difflib

    models: list[Model] = []
    known = [model.name for model in catalogue.models]
    for name in dict.fromkeys(names):
        model = catalogue.model(name)
        if model is None:
            close = difflib.get_close_matches(name, known, 1, 0.3)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise argparse.ArgumentTypeError(f"no model {name!r}: {hint}")
        models.append(model)
    return models


class _Bar:
    """One line that grows on a terminal; a line for every tenth of a file elsewhere."""

    WIDTH = 30

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._tenth: dict[str, int] = {}
        self._open = False

    def show(self, file: ModelFile, written: int) -> None:
        """``written`` bytes of ``file`` are there."""
        if self._terminal:
            full = self.WIDTH * written // file.size
            bar = "#" * full + "." * (self.WIDTH - full)
            text = f"{file.path[:40]:40} {bar} {written / 1e6:7.1f}/{file.size / 1e6:.1f} MB"
            print(f"\r{text}", end="\n" if written == file.size else "", flush=True)
            self._open = written != file.size
            return
        tenth = 10 * written // file.size
        if tenth > self._tenth.get(file.path, -1):
            self._tenth[file.path] = tenth
            print(f"{file.path}: {10 * tenth} %", flush=True)

    def end(self) -> None:
        """What follows starts on a line of its own."""
        if self._open:
            print()
            self._open = False
