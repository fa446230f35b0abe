"""A graph as JSON, to leave the process that captured it."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import TypeAdapter

from infra.rules.model import UNKNOWN, Graph

_UNKNOWN: Final = "inland:unknown"
"""Key of the object that stands for a value that nobody knows yet."""
_GRAPH: Final = TypeAdapter(Graph)


def to_json(graph: Graph) -> str:
    """The graph as text."""
    return json.dumps(_GRAPH.dump_python(graph), default=_encoded)


def from_json(text: str) -> Graph:
    """The graph again. Raises ``ValueError`` when it is none."""
    return _GRAPH.validate_python(json.loads(text, object_hook=_decoded))


def _encoded(value: Any) -> Any:
    if value is UNKNOWN:
        return {_UNKNOWN: True}
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in a graph")


def _decoded(found: dict[str, Any]) -> Any:
    return UNKNOWN if found.keys() == {_UNKNOWN} else found
