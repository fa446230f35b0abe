"""Splitting header values in linear time.

The only regular expressions are those whose every repetition is possessive: they cannot go back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge

MAX_PARTS = 128
"""Most values of one list, or parameters of one value, that are read; empty ones count."""

MAX_DELTA = 2**32 - 1
"""Longest interval, seconds (RFC 3261 section 20.19); a longer one is read as this."""

SPACE = " \t"
"""What may stand around things. Never ``str.strip()``: that eats letters of other scripts too."""

_TOKEN = re.compile(r"[a-zA-Z0-9.!%*_+`'~-]++")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def is_token(text: str) -> bool:
    """Whether ``text`` is a token (RFC 3261 section 25.1)."""
    return _TOKEN.fullmatch(text) is not None


@cache
def _part(separator: str) -> re.Pattern[str]:
    outside = f'[^"<{re.escape(separator)}]++'
    return re.compile(rf'(?:{outside}|"(?:[^"\\]++|\\.)*+"|<[^>]*+>)*+', re.DOTALL)


def split_outside(text: str, separator: str) -> list[str]:
    """``text`` cut at each ``separator`` that is in no quoted string and no angle brackets.

    Parts are stripped; empty ones stay. Raises ``MessageError`` on an open quote or bracket, and
    ``MessageTooLarge`` on more than ``MAX_PARTS``.
    """
    if '"' not in text and "<" not in text:
        parts = [part.strip(SPACE) for part in text.split(separator, MAX_PARTS)]
    else:
        parts = []
        part = _part(separator)
        position = -1
        while position < len(text) and len(parts) <= MAX_PARTS:
            match = part.match(text, position + 1)
            assert match is not None, "the pattern matches the empty string"
            parts.append(match[0].strip(SPACE))
            position = match.end()
            if position < len(text) and text[position] != separator:
                raise MessageError("a quoted string or an address is not closed")
    if len(parts) > MAX_PARTS:
        raise MessageTooLarge("there are too many values or parameters")
    return parts


def quoted_length(text: str) -> int:
    """How long the quoted string is that ``text`` begins with; 0 when it begins with none."""
    match = _QUOTED.match(text)
    return match.end() if match else 0


def unquote(text: str) -> str:
    """The content of a quoted string, or ``text`` itself when it is none."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """``text`` as a quoted string (RFC 3261 section 25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_parameters(parts: Sequence[str]) -> dict[str, str | None]:
    """``name=value`` and bare ``name`` pieces; names in lower case, values as written.

    Empty pieces are skipped; of a name that comes twice the first counts. Raises
    ``MessageTooLarge``.
    """
    if len(parts) > MAX_PARTS:
        raise MessageTooLarge("there are too many parameters")
    found: dict[str, str | None] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(SPACE).lower()
        if name:
            found.setdefault(name, value.strip(SPACE) if equals else None)
    return found


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    """``;name=value`` for each."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items()
    )


def parse_number(text: str, digits: int = 10) -> int:
    """Decimal digits, at most ``digits`` of them. Raises ``MessageError``."""
    if not (text.isascii() and text.isdigit()) or len(text) > digits:
        raise MessageError("a number is malformed")
    return int(text)


def parse_delta(text: str) -> int:
    """Seconds (RFC 3261 section 25.1, delta-seconds); too many become ``MAX_DELTA``.

    Raises ``MessageError``.
    """
    text = text.strip(SPACE)
    if not (text.isascii() and text.isdigit()):
        raise MessageError("an interval is malformed")
    return MAX_DELTA if len(text) > 10 else min(int(text), MAX_DELTA)


def one_line(text: str) -> str:
    """``text`` with a space for each CR, LF and NUL.

    What is written into a header can thus never end it and begin another.
    """
    if "\r" in text or "\n" in text or "\0" in text:
        return text.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    return text


def to_bytes(text: str) -> bytes:
    """``text`` in UTF-8; bytes that were no UTF-8 when they were read are themselves again."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")  # a lone surrogate that never was a byte


def to_text(data: bytes) -> str:
    """The inverse of :func:`to_bytes`, for any bytes."""
    return data.decode("utf-8", "surrogateescape")
