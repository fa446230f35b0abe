"""What the tests of session stores write into them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from edge.session.store import NewSession, SealedTurn, SessionStore
from tests.edge.session.parts import NOW, SESSION

OpenStore = Callable[[], Awaitable[SessionStore]]
"""Opens one more connection to the same data, as another process would."""


def session(
    session_id: str = SESSION,
    agent: str = "reception",
    subjects: tuple[str, ...] = (),
    lasts: int = 60,
) -> NewSession:
    wraps, expires_at = {"r1": b"k1", "r2": b"k2"}, int(NOW) + lasts
    return NewSession(session_id, agent, b"tag", wraps, NOW, expires_at, subjects)


def sealed(
    number: int, digest: bytes = b"d", body: bytes = b"turn", subjects: tuple[str, ...] = ()
) -> SealedTurn:
    return SealedTurn(number, digest, body + b"%d" % number, b"state%d" % number, subjects)


def name(number: int) -> str:
    """Of a subject."""
    return f"{number:032x}"
