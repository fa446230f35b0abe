"""The control plane's public keys, fetched and kept (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence

import aiohttp
import jwt

from control_plane.contract import JWKS_PATH
from edge.clock import Clock, SystemClock

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 1.0
UNKNOWN_SECONDS = 5.0
"""A key id that nobody knows asks for a refresh; between two of those lies at least this."""
FETCH_SECONDS = 3.0
MAX_KEYS = 16
"""Keys of one replica that are kept."""
MAX_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class KeysUnreadable(Exception):
    """A replica's answer is not a key set. Asking again may help: it may be mended."""


class KeyCache:
    """Keys by id, of every replica; those of a replica that is away stay as it last gave them."""

    def __init__(self, control_planes: Sequence[str], clock: Clock | None = None) -> None:
        self._control_planes = tuple(control_planes)
        self._clock = clock or SystemClock()
        self._sets: dict[str, dict[str, jwt.PyJWK]] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._failing: dict[str, str] = {}
        self._refreshed = 0.0
        self._unknown = asyncio.Event()
        self.loaded = asyncio.Event()
        """Set once at least one key is known."""

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None; then :meth:`run` asks for newer keys soon."""
        key = self._keys.get(key_id)
        if key is None:
            self._unknown.set()
        return key

    async def run(self) -> None:
        """Refresh until cancelled: soon while no key is known, seldom afterwards."""
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            while True:
                self._unknown.clear()
                async with asyncio.TaskGroup() as group:
                    for base in self._control_planes:
                        group.create_task(self._fetch(session, base))
                self._merge()
                self._refreshed = self._clock.monotonic()
                await self._until_due()

    def seconds_to_wait(self, now: float) -> float:
        """How long the refresh for an unknown key id has to wait yet."""
        return max(0.0, self._refreshed + UNKNOWN_SECONDS - now)

    def _merge(self) -> None:
        merged: dict[str, jwt.PyJWK] = {}
        for base in self._control_planes:
            merged |= self._sets.get(base, {})
        self._keys = merged
        if merged:
            self.loaded.set()

    async def _until_due(self) -> None:
        if not self._keys:
            await asyncio.sleep(RETRY_SECONDS)
            return
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                await self._unknown.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self.seconds_to_wait(self._clock.monotonic()))

    async def _fetch(self, session: aiohttp.ClientSession, base: str) -> None:
        try:
            self._sets[base] = read_keys(await _body(session, base))
        except Exception as error:
            # The boundary to another machine: whatever it sends, this node's calls go on with the
            # keys they have. Cancellation is no Exception and passes.
            reason = type(error).__name__
            if self._failing.get(base) != reason:  # once, not every second
                log.warning("keys not fetched", extra={"reason": reason})
            self._failing[base] = reason
        else:
            self._failing.pop(base, None)


async def _body(session: aiohttp.ClientSession, base: str) -> bytes:
    async with session.get(base.rstrip("/") + JWKS_PATH, allow_redirects=False) as answer:
        answer.raise_for_status()
        if answer.status != 200:
            raise KeysUnreadable(f"status {answer.status}")
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                raise KeysUnreadable(f"more than {MAX_BYTES} bytes")
        return bytes(body)


def read_keys(body: bytes) -> dict[str, jwt.PyJWK]:
    """The Ed25519 keys of a JWK set, at most ``MAX_KEYS``; keys of other kinds are left out.

    Raises :class:`KeysUnreadable` when it is no set, or no key of it can be used; ``ValueError`` or
    ``RecursionError`` when it is no JSON.
    """
    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise KeysUnreadable("not an object with a list 'keys'")
    found: dict[str, jwt.PyJWK] = {}
    for entry in listed:
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(key_id, str) or not key_id:
            continue
        if (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
            continue
        try:
            found[key_id] = jwt.PyJWK(entry, algorithm="EdDSA")
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):  # of any shape
            continue
        if len(found) == MAX_KEYS:
            break
    if not found:
        raise KeysUnreadable("no Ed25519 key with an id")
    return found
