"""Looking into properties: every text in them, lists that may be absent, encoded user data."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.rules.model import UNKNOWN, Value

_BASE64 = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_WRAPPED = re.compile(r"(?<=[A-Za-z0-9+/]{32})\r?\n[ \t]*(?=[A-Za-z0-9+/=])")
"""A line's end inside an encoding, as `base64` breaks lines and YAML indents them."""
_ESCAPE = re.compile(
    r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})"
)
"""A character by its number: in JSON, in YAML, in a URL."""
_DEPTH = 4
"""How deep encodings are opened: user data, a gzip in it, a file in that, and one to spare."""
_LARGEST = 4_000_000
"""Bytes that an encoding may open to; user data ends at 16 KiB, so anything larger is a trap."""


def strings(value: Value, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in ``value`` with the path to it, and every key with the path of its map."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield path, str(key)
            yield from strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from strings(item, f"{path}[{index}]")


def keys(value: Value, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key of the maps in ``value``, with the path of its map."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield path, str(key)
            yield from keys(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from keys(item, f"{path}[{index}]")


def entries(value: Value) -> list[Any]:
    """The entries of a list, of a single entry or of nothing; what is not known is left out."""
    if value is None or value is UNKNOWN:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [entry for entry in value if entry is not None and entry is not UNKNOWN]
    return [value]


def maps(value: Value) -> list[Mapping[str, Any]]:
    """The maps among the entries of ``value``: its nested blocks."""
    return [entry for entry in entries(value) if isinstance(entry, Mapping)]


def block(value: Value) -> Mapping[str, Any]:
    """A nested block that may be absent, or a list of one."""
    found = maps(value)
    return found[0] if found else {}


def holds(value: Value) -> bool:
    """Whether there is something, known or not: neither None nor an empty list, map or text."""
    return value is UNKNOWN or (value is not None and value not in ("", [], {}, False))


def true(value: Value) -> bool:
    """A boolean that a property may write as text."""
    return value is True or value == "true"


def opened(text: str, depth: int = _DEPTH) -> Iterator[str]:
    """``text``, with its escapes read too, and what is readable in base64 and gzip in it."""
    yield text
    if depth == 0:
        return
    read = _ESCAPE.sub(_character, text)
    if read != text:
        yield from opened(read, depth - 1)
    for token in _BASE64.findall(_WRAPPED.sub("", text)):
        found = _decoded(token)
        if found is not None:
            yield from opened(found, depth - 1)


def _character(match: re.Match[str]) -> str:
    number = int(next(filter(None, match.groups())), 16)
    return chr(number) if number < 0x110000 else ""


def _decoded(token: str) -> str | None:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    if data[:2] == b"\x1f\x8b":
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, _LARGEST)
        except zlib.error:
            return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def decoded_json(value: Value) -> Value:
    """A provider's property: Pulumi sends lists and maps of a provider as JSON text."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def type_of(urn: str) -> str:
    """The type in a URN, without its parents': ``urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME``."""
    parts = urn.split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else ""
