"""What a model conductor remembers beside the history, as JSON."""

from __future__ import annotations

from pydantic import Field
from pydantic import JsonValue as AnyJson

from edge.dialog.slots.base import Strict


class OpenCall(Strict):
    """A tool call that was begun and whose end is not known."""

    call_id: str
    tool: str
    arguments: dict[str, AnyJson]


class ModelState(Strict):
    """Small: the conversation itself is the history."""

    by_flow: bool = False
    """The model failed; the flow conducts the rest of the call."""
    handing: bool = False
    """A person is being asked to take over."""
    running: OpenCall | None = None
    said: str = ""
    """The last answer in full."""
    heard_all: bool = True
    silences: int = Field(default=0, ge=0)

    def but(self, **changes: object) -> ModelState:
        """A copy with these fields changed."""
        return self.model_copy(update=changes)
