"""Challenges, the answers to them, and what the answers are made from (RFC 7616 section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote_to_bytes

from edge.transport.sip.wire.digest.hashing import ALGORITHMS, base_of
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    SPACE,
    parse_parameters,
    quote,
    split_outside,
    to_bytes,
    to_text,
    unquote,
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a realm; ``realm`` None: to any that asks."""

    username: str
    password: str = field(repr=False)
    realm: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate of scheme Digest.

    ``algorithm`` and ``opaque`` are None where the challenge has none; then it means MD5.
    ``qop`` holds what is offered, in lower case; None is a challenge as of RFC 2069.
    """

    realm: str
    nonce: str
    algorithm: str | None = None
    qop: frozenset[str] | None = None
    opaque: str | None = None
    stale: bool = False
    userhash: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``, also for another scheme."""
        found = _parse(text)
        if "realm" not in found or not found.get("nonce"):
            raise MessageError("the challenge has no realm or no nonce")
        offered = [part.strip().lower() for part in found.get("qop", "").split(",")]
        return cls(
            found["realm"],
            found["nonce"],
            found.get("algorithm"),
            frozenset(offered) if any(offered) else None,
            found.get("opaque"),
            found.get("stale", "").lower() == "true",
            found.get("userhash", "").lower() == "true",
        )

    def __str__(self) -> str:
        pieces = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.algorithm is not None:
            pieces.append(f"algorithm={self.algorithm}")
        if self.qop is not None:
            pieces.append(f"qop={quote(','.join(sorted(self.qop)))}")
        if self.opaque is not None:
            pieces.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            pieces.append("stale=true")
        if self.userhash:
            pieces.append("userhash=true")
        return "Digest " + ", ".join(pieces)

    @property
    def strength(self) -> int:
        """The higher the stronger; 0 when we cannot answer."""
        base = base_of(self.algorithm or "MD5")
        known = self.qop is None or self.qop & {"auth", "auth-int"}
        return len(ALGORITHMS) - ALGORITHMS.index(base) if known and base in ALGORITHMS else 0


@dataclass(frozen=True, slots=True)
class Authorization:
    """An Authorization or Proxy-Authorization of scheme Digest. ``count`` is ``nc`` as written."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str | None = None
    qop: str | None = None
    count: str = ""
    cnonce: str = ""
    opaque: str | None = None
    userhash: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``, also for another scheme."""
        found = _parse(text)
        username = found.get("username")
        if username is None:
            username = _extended(found.get("username*", ""))
        try:
            return cls(
                username,
                found["realm"],
                found["nonce"],
                found["uri"],
                found["response"],
                found.get("algorithm"),
                found.get("qop"),
                found.get("nc", ""),
                found.get("cnonce", ""),
                found.get("opaque"),
                found.get("userhash", "").lower() == "true",
            )
        except KeyError as error:
            raise MessageError("the authorization lacks a parameter") from error

    def __str__(self) -> str:
        pieces = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
        ]
        if self.algorithm is not None:
            pieces.append(f"algorithm={self.algorithm}")
        if self.cnonce:
            pieces.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            pieces.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            pieces += [f"qop={self.qop}", f"nc={self.count}"]
        if self.userhash:
            pieces.append("userhash=true")
        return "Digest " + ", ".join(pieces)


def _parse(text: str) -> dict[str, str]:
    scheme, _, rest = text.strip(SPACE).partition(" ")
    if scheme.lower() != "digest":
        raise MessageError("the scheme is not Digest")
    found = parse_parameters(split_outside(rest, ","))
    return {name: unquote(value) for name, value in found.items() if value is not None}


def _extended(text: str) -> str:
    """The value of ``username*`` (RFC 8187 section 3.2). Raises ``MessageError``."""
    charset, quoted, rest = text.partition("'")
    _, closed, value = rest.partition("'")
    if charset.lower() != "utf-8" or not quoted or not closed:
        raise MessageError("the username is missing or malformed")
    return to_text(unquote_to_bytes(to_bytes(value)))
