"""Settings as text."""

from __future__ import annotations

from typing import Any

import yaml


def to_yaml(settings: dict[str, Any]) -> bytes:
    """The settings as the strict reader takes them."""
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()
