"""Fetches the files of a model: resumable, bounded, and checked before they can be used.

A file is written beside its place as ``NAME.part`` and renamed once its SHA-256 is right, so a file
that is there is whole.

::

    PullError      one file could not be had; what was written can be resumed
    └── WrongFile  what is served is not what the catalogue names; nothing of it was kept
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp

from edge.speech.models import Model, ModelFile, ModelStore, sha256

ATTEMPTS = 4
"""Attempts without a single new byte before giving up."""
STALL_SECONDS = 60.0
SPARE_DISK = 64 * 2**20
"""Bytes that must stay free on the disk."""
_BLOCK = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")

Progress = Callable[[ModelFile, int], None]
"""Told how many bytes of a file are there."""


class PullError(Exception):
    """One file could not be had; what was written can be resumed."""


class WrongFile(PullError):
    """What is served is not what the catalogue names; nothing of it was kept."""


class _Interrupted(Exception):
    """The connection broke or the server is busy: the next attempt may get further."""


class Puller:
    """Pulls models into ``store``.

    ``mirror`` is a folder or a URL laid out like the models folder (``MODEL/FILE``); without it
    each file comes from its own URL. ``sleep`` waits between attempts.
    """

    def __init__(
        self,
        store: ModelStore,
        mirror: str | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._mirror = mirror.rstrip("/") if mirror else None
        self._sleep = sleep

    async def pull(self, models: list[Model], progress: Progress) -> None:
        """Pull every file that is missing or wrong. Raises ``PullError``, saying what to do."""
        self._store.root.mkdir(parents=True, exist_ok=True)
        with _locked(self._store.root):
            wanted = [
                (model, file)
                for model in models
                for file in model.files
                if not await asyncio.to_thread(self._is_there, model, file)
            ]
            self._check_disk(wanted)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=STALL_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as http:
                for model, file in wanted:
                    await self._pull_file(http, model, file, progress)

    def _is_there(self, model: Model, file: ModelFile) -> bool:
        path = self._store.path(model, file)
        return path.is_file() and path.stat().st_size == file.size and sha256(path) == file.sha256

    def _check_disk(self, wanted: list[tuple[Model, ModelFile]]) -> None:
        missing = sum(
            file.size - min(file.size, _written(_part(self._store.path(model, file))))
            for model, file in wanted
        )
        free = shutil.disk_usage(self._store.root).free
        if missing and free < missing + SPARE_DISK:
            raise PullError(
                f"{self._store.root}: {_megabytes(missing)} MB to fetch and {_megabytes(free)} MB "
                "free: make room, or choose another folder with INLAND_MODELS"
            )

    async def _pull_file(
        self, http: aiohttp.ClientSession, model: Model, file: ModelFile, progress: Progress
    ) -> None:
        path = self._store.path(model, file)
        path.parent.mkdir(exist_ok=True)
        part = _part(path)
        if _written(part) > file.size:
            _drop(part)
        origin = f"{self._mirror}/{model.name}/{file.path}" if self._mirror else file.url
        if re.match(r"https?://", origin):
            await self._download(http, origin, part, file, progress)
        else:
            await self._copy(Path(origin), part, file, progress)
        digest = await asyncio.to_thread(sha256, part)
        if digest != file.sha256:
            _drop(part)
            raise WrongFile(
                f"{origin}: its sha256 is {digest}, the catalogue says {file.sha256}. Nothing was "
                "installed. Pull again; if that does not help, the source serves another file: "
                "use a mirror that you trust (--from), or a newer catalogue"
            )
        await asyncio.to_thread(_install, part, path)
        progress(file, file.size)

    async def _download(
        self,
        http: aiohttp.ClientSession,
        url: str,
        part: Path,
        file: ModelFile,
        progress: Progress,
    ) -> None:
        vain = 0
        while (before := _written(part)) < file.size:
            try:
                await self._attempt(http, url, part, file, progress)
                reason = "the connection ended early"
            except _Interrupted as error:
                reason = str(error)
            vain = 0 if _written(part) > before else vain + 1
            if vain == ATTEMPTS:
                raise PullError(
                    f"{url}: {reason}, {ATTEMPTS} times. Pull again to go on after "
                    f"{_megabytes(_written(part))} of {_megabytes(file.size)} MB"
                )
            if _written(part) < file.size:
                await self._sleep(min(30.0, 0.5 * 2**vain))

    async def _attempt(
        self,
        http: aiohttp.ClientSession,
        url: str,
        part: Path,
        file: ModelFile,
        progress: Progress,
    ) -> None:
        offset = _written(part)
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            async with http.get(url, headers=headers) as response:
                if not _accepts(response, url, offset, file):
                    _drop(part)
                    return
                body = response.content.iter_chunked(_BLOCK)
                await _write(body, part, offset if response.status == 206 else 0, file, progress)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise _Interrupted(f"the connection failed ({type(error).__name__})") from error

    async def _copy(self, source: Path, part: Path, file: ModelFile, progress: Progress) -> None:
        try:
            await _write(_blocks(source), part, 0, file, progress)
        except OSError as error:
            raise PullError(f"{source}: {error.strerror or error}") from error
        if _written(part) < file.size:
            _drop(part)
            raise WrongFile(f"{source}: shorter than the {file.size} bytes of the catalogue")


def _accepts(response: aiohttp.ClientResponse, url: str, offset: int, file: ModelFile) -> bool:
    """Whether the body can be written; False when what was written before must be dropped."""
    status = response.status
    if status == 416 and offset:
        return False
    if status in (408, 425, 429) or status >= 500:
        raise _Interrupted(f"the server answers {status}")
    if status not in (200, 206):
        raise PullError(
            f"{url}: the server answers {status} {response.reason or ''}: the file is not there or "
            "not for you. Use a mirror (--from), or a newer catalogue"
        )
    if status == 206:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != offset or int(match[3]) != file.size:
            return False
    elif response.content_length is not None and response.content_length != file.size:
        raise WrongFile(
            f"{url}: {response.content_length} bytes are served, the catalogue says {file.size}: "
            "not the same file. Use a mirror that you trust (--from), or a newer catalogue"
        )
    return True


async def _write(
    blocks: AsyncIterator[bytes], part: Path, offset: int, file: ModelFile, progress: Progress
) -> None:
    """Append ``blocks`` at ``offset``, never more than the file's size."""
    with part.open("r+b" if offset else "wb") as out:
        out.truncate(offset)
        out.seek(offset)
        written = offset
        async for block in blocks:
            written += len(block)
            if written > file.size:
                _drop(part)
                raise WrongFile(
                    f"{file.path}: more than the {file.size} bytes of the catalogue are served: "
                    "not the same file. Use a mirror that you trust (--from)"
                )
            await asyncio.to_thread(out.write, block)
            progress(file, written)


async def _blocks(source: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(source.open, "rb") as file:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block


def _install(part: Path, path: Path) -> None:
    """Rename, so that the name only ever stands for the whole file, even after a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / ".pull.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PullError(f"{root}: another pull is under way: wait for it") from None
        yield


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)


def _written(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
