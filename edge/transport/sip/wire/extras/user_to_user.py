"""Data that one end of a call hands the other (RFC 7433)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    is_token,
    parse_parameters,
    quote,
    split_outside,
    to_bytes,
    to_text,
    unquote,
)

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*+")


@dataclass(frozen=True, slots=True)
class UserToUser:
    """``encoding`` is ``hex``, or what else a far end called the text that it wrote.

    ``purpose`` says which application the data is for, ``content`` what is in it.
    """

    data: bytes
    encoding: str = "hex"
    purpose: str | None = None
    content: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """One value. Raises ``MessageError``.

        Without an encoding it is hexadecimal where it can be, else text: contact centres write
        both.
        """
        value, *rest = split_outside(text, ";")
        parameters = parse_parameters(rest)
        value = unquote(value)
        named = parameters.get("encoding")
        encoding = (named or ("hex" if _HEX.fullmatch(value) else "text")).lower()
        if not value or not is_token(encoding) or (encoding == "hex" and not _HEX.fullmatch(value)):
            raise MessageError("a User-to-User is malformed")
        data = bytes.fromhex(value) if encoding == "hex" else to_bytes(value)
        return cls(data, encoding, parameters.get("purpose"), parameters.get("content"))

    def __str__(self) -> str:
        value = self.data.hex() if self.encoding == "hex" else quote(to_text(self.data))
        purpose = "" if self.purpose is None else f";purpose={self.purpose}"
        content = "" if self.content is None else f";content={self.content}"
        return f"{value}{purpose}{content};encoding={self.encoding}"
