"""Loads the catalogue of regions, jurisdictions and rules."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from regions.models import Catalogue
from regions.strict_yaml import load_yaml


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue in ``path``, or the one that comes with Inland.

    Raises ``ConfigError`` when the file is missing or wrong.
    """
    if path is not None:
        return load_yaml(path, Catalogue)
    with as_file(files("regions") / "catalogue.yaml") as packaged:
        return load_yaml(packaged, Catalogue)
