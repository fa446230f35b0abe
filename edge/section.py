"""What the parts of a node's settings have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

HomePath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path in which ``~`` is the user's home."""


class Section(BaseModel):
    """A part of the settings: immutable, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
