"""Splitting header values in linear time, with no regular expression that could backtrack."""

from __future__ import annotations

from collections.abc import Mapping

from edge.transport.sip.wire.errors import MessageError

TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
"""Characters of a token (RFC 3261 section 25.1)."""


def split_outside(text: str, separator: str) -> list[str]:
    """``text`` cut at each ``separator`` that is in no quoted string and no angle brackets.

    Parts are stripped; empty ones stay. Raises ``MessageError`` on an open quote or bracket.
    """
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = index = 0
    quoted = angled = False
    while index < len(text):
        character = text[index]
        if quoted:
            if character == "\\":
                index += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character == "<":
            angled = True
        elif character == ">":
            angled = False
        elif character == separator and not angled:
            parts.append(text[start:index].strip())
            start = index + 1
        index += 1
    if quoted or angled:
        raise MessageError("a quoted string or an address is not closed")
    parts.append(text[start:].strip())
    return parts


def unquote(text: str) -> str:
    """The content of a quoted string, or ``text`` itself when it is none."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    plain: list[str] = []
    characters = iter(inner)
    for character in characters:
        plain.append(next(characters, "") if character == "\\" else character)
    return "".join(plain)


def quote(text: str) -> str:
    """``text`` as a quoted string (RFC 3261 section 25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_parameters(parts: list[str]) -> dict[str, str | None]:
    """``name=value`` and bare ``name`` pieces; names in lower case, values as written.

    Empty pieces are skipped; of a name that comes twice the first counts.
    """
    found: dict[str, str | None] = {}
    for part in parts:
        if not part:
            continue
        name, equals, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip() if equals else None)
    return found


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    """``;name=value`` for each."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items()
    )
