"""What the clinic's receptionist knows by heart: a Python tool."""

from __future__ import annotations

from edge.dialog.tool_python import tool

_ANSWERS = {
    "hours": "We are open Monday to Friday, from eight to five.",
    "prices": "A consultation is forty euros, a dental check sixty.",
}


@tool
def opening_hours(topic: str = "hours") -> dict[str, str]:
    """The clinic's opening hours (topic ``hours``) or prices (topic ``prices``), in a sentence."""
    return {"answer": _ANSWERS.get(topic, _ANSWERS["hours"])}
