"""What Pulumi was configured with, whole: a key that nobody asks for is a mistake too."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env


def project_folder() -> Path:
    """Where ``Pulumi.yaml`` is."""
    return Path(pulumi.get_root_directory())


def whole_configuration() -> dict[str, str]:
    """Every key and value as text, those of Pulumi included.

    ``pulumi.Config`` answers for keys that one names; a misspelt one would be passed over.
    """
    return {key: str(value) for key, value in (CONFIG.get() or get_config_env()).items()}
