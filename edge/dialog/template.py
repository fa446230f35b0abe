"""Sentences with holes: ``{date}``, ``{result.reference:digits}``.

Only names that were declared are filled in; there is no attribute access and no format language,
so that neither a caller's words nor a tool's answer can reach further than the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from edge.events import JsonValue

MAX_VALUE = 300
"""Characters of one value that are spoken."""
_HOLE = re.compile(r"\{([a-z][a-z0-9_.]{0,62})(:digits)?\}")


def fields_of(template: str) -> tuple[str, ...]:
    """The names in the holes of ``template``, without ``:digits``."""
    return tuple(found[1] for found in _HOLE.finditer(template))


def stray_brace(template: str) -> bool:
    """Whether something in braces is not a hole: a misspelt one would be read out."""
    return bool(set("{}") & set(_HOLE.sub("", template)))


def fill(template: str, value: Callable[[str], str]) -> str:
    """``template`` with each hole replaced by ``value(name)``."""

    def replace(found: re.Match[str]) -> str:
        said = value(found[1])[:MAX_VALUE]
        return " ".join(said) if found[2] else said

    return _HOLE.sub(replace, template)


def lookup(data: JsonValue, path: str) -> str:
    """The scalar at the dotted ``path`` of a tool's answer as text; empty when there is none."""
    found = data
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return ""
        found = found[key]
    return str(found) if isinstance(found, str | int | float) else ""
