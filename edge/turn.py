"""Credentials for the relays that callers behind networks without UDP go through (TURN, RFC 8656).

No relay is asked for them: it has the same secret, and checks what was made with it
(draft-uberti-behave-turn-rest-00). Callers get them as WHIP says (RFC 9725, section 4.6).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from edge.clock import Clock
from edge.section import HomePath, Section

_URL = re.compile(
    r"(?P<scheme>turns?):"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
"""RFC 7065, section 3.1, with the two transports that there are."""
_SECRET = re.compile(r"[A-Za-z0-9_.~+/=-]{16,256}")
"""What coturn reads from a line of its configuration as it stands there."""
_NAME_DIGITS = 24


def _turn_url(url: str) -> str:
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "should be turn:HOST:PORT or turns:HOST:PORT, with ?transport=tcp or =udp if need be"
        )
    if found["port"] is not None and not 0 < int(found["port"]) < 65_536:
        raise ValueError("the port should be 1 to 65535")
    if found["scheme"] == "turns" and found["transport"] == "udp":
        raise ValueError("browsers have no TURN over DTLS: write ?transport=tcp")
    return url


class TurnSettings(Section):
    """Where the relays are, and what credentials for them are made with."""

    urls: tuple[Annotated[str, AfterValidator(_turn_url)], ...] = Field(min_length=1, max_length=8)
    secret_file: HomePath
    """The relays' ``static-auth-secret``; read once, at start."""
    ttl_seconds: int = Field(default=3600, ge=60, le=86_400)
    """How long credentials open a relay. What is open then stays open."""


class TurnSecretError(Exception):
    """There is no secret to make credentials with; the text says why, and nothing of its value."""


def read_turn_secret(path: Path) -> str:
    """The secret that the relays know, too. Raises :class:`TurnSecretError`."""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise TurnSecretError(f"{path}: {why}") from error
    if _SECRET.fullmatch(secret) is None:
        raise TurnSecretError(
            f"{path}: should be 16 to 256 letters, digits or _.~+/=-, as the relays have it"
        )
    return secret


class Relays:
    """What callers are told of the relays."""

    def __init__(self, settings: TurnSettings, secret: str, clock: Clock) -> None:
        self._settings = settings
        self._secret = secret.encode()
        self._clock = clock
        # Dies with this process: whoever reads a relay's log cannot tell whose session a name is.
        self._naming = secrets.token_bytes(32)

    def links(self, session_id: str) -> tuple[str, ...]:
        """``Link`` header values for one session, one for each URL.

        A session has the same random name in all its credentials, for relays limit what one name
        may open: however many credentials a caller asks for, they are one caller's.
        """
        username = (
            f"{int(self._clock.wall()) + self._settings.ttl_seconds}:{self._name(session_id)}"
        )
        credential = password(self._secret, username)
        told = f'username="{username}"; credential="{credential}"; credential-type="password"'
        return tuple(f'<{url}>; rel="ice-server"; {told}' for url in self._settings.urls)

    def _name(self, session_id: str) -> str:
        digest = hmac.new(self._naming, session_id.encode(), hashlib.sha256)
        return digest.hexdigest()[:_NAME_DIGITS]


def password(secret: bytes, username: str) -> str:
    """``base64(HMAC-SHA1(secret, username))``."""
    return base64.b64encode(hmac.new(secret, username.encode(), hashlib.sha1).digest()).decode()
