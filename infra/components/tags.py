"""Tags: whose stack a resource is of, and what data it holds."""

from __future__ import annotations

from typing import Literal, TypeAlias

from infra.components.place import Place

Holding: TypeAlias = Literal[
    "sessions", "recordings", "software", "logs", "audit", "secrets", "keys", "alarms"
]
"""What a resource keeps."""


def stack_tags(place: Place) -> dict[str, str]:
    """Default tags of the provider: every resource of the stack carries them."""
    return {"inland:stack": place.stack, "inland:jurisdiction": place.jurisdiction}


def holds(what: Holding) -> dict[str, str]:
    """The tag of a resource that keeps data."""
    return {"inland:holds": what}
