"""Where policy bundles come from: a control plane, or a file. Nothing here trusts what it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
from pydantic import ValidationError

from control_plane.contract import NO_POLICY, POLICY_PATH, Problem
from regions.bundle import MAX_BUNDLE, read_bundle

FETCH_SECONDS = 5.0
"""What one control plane may take."""
MAX_ETAG = 200


class SourceAway(Exception):
    """Nothing can be had from there now; the text is a constant word for logs."""


class Source(Protocol):
    """One place to look."""

    @property
    def name(self) -> str:
        """For logs: no address that is not in the settings."""
        ...

    async def look(self) -> bytes | None:
        """The bundle there, at most ``MAX_BUNDLE`` bytes and one; None when it is the one that was
        last returned, or there is none. Raises :class:`SourceAway`."""
        ...

    def forget(self) -> None:
        """What was last returned did not come whole: return it again."""
        ...


class ControlPlaneSource:
    """One replica. It is told this node's secret, since a bundle lists tenants."""

    def __init__(self, http: aiohttp.ClientSession, base: str, secret: str) -> None:
        self.name = base
        self._http = http
        self._url = base.rstrip("/") + POLICY_PATH
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._etag: str | None = None

    async def look(self) -> bytes | None:
        headers = self._headers | ({} if self._etag is None else {"If-None-Match": self._etag})
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                self._http.get(self._url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status == 304 and self._etag is not None:
                    return None
                if answer.status == 404 and await _has_none(answer):
                    return None
                if answer.status != 200:
                    raise SourceAway(f"status {answer.status}")
                body = await _bounded(answer)
                etag = answer.headers.get("ETag", "")
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            raise SourceAway(type(error).__name__) from error
        self._etag = etag if 0 < len(etag) <= MAX_ETAG else None
        return body

    def forget(self) -> None:
        self._etag = None


class FileSource:
    """A file that somebody replaces."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._seen: tuple[int, ...] | None = None

    async def look(self) -> bytes | None:
        try:
            return await asyncio.to_thread(self._read)
        except OSError as error:
            self._seen = None
            raise SourceAway(type(error).__name__) from error

    def forget(self) -> None:
        self._seen = None

    def _read(self) -> bytes | None:
        found = self._path.stat()
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp == self._seen:
            return None
        self._seen = stamp  # first: what is written while we read is read next time
        return read_bundle(self._path)


@asynccontextmanager
async def control_plane_sources(
    control_planes: Sequence[str], secret: str
) -> AsyncIterator[tuple[Source, ...]]:
    """Every replica."""
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    ) as http:
        yield tuple(ControlPlaneSource(http, base, secret) for base in control_planes)


async def _has_none(answer: aiohttp.ClientResponse) -> bool:
    """Whether a control plane says so itself, and not a proxy that knows no such path."""
    try:
        problem = Problem.model_validate_json(await _bounded(answer))
    except ValidationError:
        return False
    return problem.code == NO_POLICY


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_BUNDLE:
            break
    return bytes(body[: MAX_BUNDLE + 1])
