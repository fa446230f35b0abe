"""Settings as text."""

from __future__ import annotations

from typing import Any

import yaml


class _WrittenOut(yaml.SafeDumper):
    """Repeats what stands twice: the strict reader takes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(settings: dict[str, Any]) -> bytes:
    """The settings as the strict reader takes them."""
    return yaml.dump(settings, Dumper=_WrittenOut, sort_keys=False, allow_unicode=True).encode()
