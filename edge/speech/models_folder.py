"""Where pulled models are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLE = "INLAND_MODELS"


def models_folder(environ: Mapping[str, str]) -> Path:
    """``INLAND_MODELS``, else ``inland/models`` in the user's data folder (XDG base directories).

    It holds one folder per model, named like the model. It need not exist.
    """
    chosen = environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    data = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "inland" / "models"
