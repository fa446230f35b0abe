"""What Pulumi was configured with, whole: a key that nobody asks for is a mistake too."""

from __future__ import annotations

from pulumi.runtime.config import CONFIG, get_config_env


def whole_configuration() -> dict[str, str]:
    """Every key and value as text, those of Pulumi included.

    ``pulumi.Config`` answers for keys that one names; a misspelt one would be passed over.
    """
    return {key: str(value) for key, value in (CONFIG.get() or get_config_env()).items()}
