"""Tools of an agent whose every answer is a word that can be looked for."""

from __future__ import annotations

from edge.dialog.tool_python import tool

REFERENCE = "60481735"
ANSWER = "Kumquat season."


@tool
def reserve(code: str) -> dict[str, str]:
    """Take a code, and give a reference."""
    return {"reference": REFERENCE}


@tool
def season(topic: str) -> dict[str, str]:
    """When the season begins."""
    return {"answer": ANSWER}
