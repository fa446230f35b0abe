"""The control plane's public keys, fetched and kept (RFC 7517)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import aiohttp
import jwt

from control_plane.contract import JWKS_PATH

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 1.0
MAX_KEYS = 16
MAX_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class KeyCache:
    """Keys by id. What was fetched stays valid while every replica is away."""

    def __init__(self, control_planes: Sequence[str]) -> None:
        self._control_planes = tuple(control_planes)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._failing: dict[str, str] = {}
        self.loaded = asyncio.Event()
        """Set once at least one key is known."""

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None."""
        return self._keys.get(key_id)

    async def run(self) -> None:
        """Refresh until cancelled: soon while no replica has answered, seldom afterwards."""
        timeout = aiohttp.ClientTimeout(total=3)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            while True:
                keys: dict[str, jwt.PyJWK] = {}
                for base in self._control_planes:
                    keys |= await self._fetch(session, base)
                if keys:
                    self._keys = keys
                    self.loaded.set()
                await asyncio.sleep(REFRESH_SECONDS if keys else RETRY_SECONDS)

    async def _fetch(self, session: aiohttp.ClientSession, base: str) -> dict[str, jwt.PyJWK]:
        try:
            async with session.get(base.rstrip("/") + JWKS_PATH, allow_redirects=False) as answer:
                body = await answer.content.read(MAX_BYTES)
                answer.raise_for_status()
            self._failing.pop(base, None)
            return {
                key.key_id: key
                for key in jwt.PyJWKSet.from_json(body.decode()).keys[:MAX_KEYS]
                if key.key_id and key.key_type == "OKP"
            }
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, ValueError) as error:
            reason = type(error).__name__
            if self._failing.get(base) != reason:  # once, not every second
                log.warning("keys not fetched", extra={"reason": reason})
            self._failing[base] = reason
            return {}
