"""``inland regions cost``: what a stack costs a month, and a minute of a call."""

from __future__ import annotations

from inland.commands.regions.actions import Actions


def configure(actions: Actions) -> None:
    """Add the action."""
