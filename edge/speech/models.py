"""The catalogue of downloadable models, and what of it is on this machine."""

from __future__ import annotations

import hashlib
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from regions.strict_yaml import load_yaml

Kind = Literal["recognizer", "voice", "turn"]
Role = Literal["encoder", "decoder", "joiner", "tokens", "model", "config"]

MAX_FILE = 4 * 2**30
"""Largest file of a model, in bytes."""
ROLES: dict[Kind, frozenset[Role]] = {
    "recognizer": frozenset({"encoder", "decoder", "joiner", "tokens"}),
    "voice": frozenset({"model", "config"}),
    "turn": frozenset({"model"}),
}

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,500}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelFile(_Strict):
    """One file: where it comes from and what it must be."""

    path: FileName
    """Its name in the model's folder."""
    role: Role
    url: Url
    size: int = Field(ge=1, le=MAX_FILE)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Model(_Strict):
    """A model: a folder with one file per role."""

    name: Name
    kind: Kind
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    """BCP 47; ``mul`` when it does not depend on the language."""
    licence: str = Field(min_length=1, max_length=100)
    source: Url
    note: str = Field(max_length=500)
    files: tuple[ModelFile, ...] = Field(min_length=1, max_length=16)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @model_validator(mode="after")
    def _whole(self) -> Model:
        roles = [file.role for file in self.files]
        if len(set(roles)) != len(roles) or set(roles) != ROLES[self.kind]:
            wanted = ", ".join(sorted(ROLES[self.kind]))
            raise ValueError(f"a {self.kind} has one file for each of: {wanted}")
        if len({file.path for file in self.files}) != len(self.files):
            raise ValueError("two files have the same path")
        return self


class ModelCatalogue(_Strict):
    """Every model that can be pulled."""

    models: tuple[Model, ...] = Field(max_length=200)

    def model(self, name: str) -> Model | None:
        """The model called ``name``, or None."""
        return next((model for model in self.models if model.name == name), None)

    @model_validator(mode="after")
    def _distinct(self) -> ModelCatalogue:
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self


class Presence(Enum):
    """What of a model is on this machine, judged by sizes alone."""

    ABSENT = "absent"
    PARTIAL = "partial"
    PRESENT = "present"


class ModelStore:
    """The models folder: one folder per model, its files inside."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, model: Model, file: ModelFile) -> Path:
        """Where ``file`` is, or will be."""
        return self.root / model.name / file.path

    def role(self, model: Model, role: Role) -> Path:
        """Where the model's file for ``role`` is, or will be."""
        return self.path(model, next(file for file in model.files if file.role == role))

    def presence(self, model: Model) -> Presence:
        """Whether every file is there with its size, some of it, or nothing."""
        folder = self.root / model.name
        there = [_size(self.path(model, file)) == file.size for file in model.files]
        if all(there):
            return Presence.PRESENT
        started = folder.is_dir() and any(folder.iterdir())
        return Presence.PARTIAL if started else Presence.ABSENT

    def installed(self, catalogue: ModelCatalogue, kind: Kind) -> list[Model]:
        """The models of ``kind`` that are present, in the catalogue's order."""
        return [
            model
            for model in catalogue.models
            if model.kind == kind and self.presence(model) is Presence.PRESENT
        ]

    def problems(self, model: Model) -> list[str]:
        """What is wrong with the files, one line each; reads every byte."""
        found: list[str] = []
        for file in model.files:
            path = self.path(model, file)
            size = _size(path)
            if size is None:
                found.append(f"{path}: missing")
            elif size != file.size:
                found.append(f"{path}: {size} bytes, {file.size} expected")
            elif (digest := sha256(path)) != file.sha256:
                found.append(f"{path}: its sha256 is {digest}, {file.sha256} expected")
        return found


def load_models(path: Path | None = None) -> ModelCatalogue:
    """Read a catalogue, by default the one that comes with Inland.

    Raises ``regions.errors.ConfigError`` naming file, line and key.
    """
    return load_yaml(path or Path(__file__).with_suffix(".yaml"), ModelCatalogue)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
