"""How the agent sees the service beside it: is it ready, how busy is it, does it run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

import aiohttp

from inland.fleet.lifecycle import Unit
from inland.fleet.measures import Reading, read_exposition

ASK_SECONDS = 3.0
MAX_BYTES = 4 * 1024 * 1024
_STATES = {
    "active": Unit.RUNNING,
    "reloading": Unit.RUNNING,
    "activating": Unit.RUNNING,
    "deactivating": Unit.STOPPING,
    "inactive": Unit.STOPPED,
    "failed": Unit.STOPPED,
}


class NodeView(Protocol):
    """One service. None of these raises: what does not answer is not ready, or not known."""

    async def ready(self) -> bool:
        """Whether it takes calls."""
        ...

    async def reading(self) -> Reading | None:
        """Its metrics now, None when they are not to be had."""
        ...


class HttpNode:
    """An edge or a control plane, on its health port."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http = http
        self._base = f"http://127.0.0.1:{port}"
        self._timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)

    async def ready(self) -> bool:
        return await self._get("/readyz") is not None

    async def reading(self) -> Reading | None:
        body = await self._get("/metrics")
        try:
            return None if body is None else read_exposition(body.decode())
        except ValueError:
            return None

    async def _get(self, path: str) -> bytes | None:
        try:
            async with self._http.get(
                self._base + path, timeout=self._timeout, allow_redirects=False
            ) as answer:
                return await _read(answer) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


class RelayNode:
    """A coturn, which tells nothing: ready when it takes connections, and each UDP socket on one of
    the relay ports is an allocation (RFC 8656, section 7)."""

    def __init__(
        self, address: tuple[str, int], ports: tuple[int, int], table: Path = Path("/proc/net/udp")
    ) -> None:
        self._address = address
        self._ports = ports
        self._table = table

    async def ready(self) -> bool:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                _, writer = await asyncio.open_connection(*self._address)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def reading(self) -> Reading | None:
        try:
            text = self._table.read_text()
        except OSError:
            return None
        return Reading(count_relays(text, self._ports), {})


def count_relays(table: str, ports: tuple[int, int]) -> int:
    """How many ports of the range have a socket, by ``/proc/net/udp`` (proc_net(5))."""
    first, last = ports
    local = (line.split()[1] for line in table.splitlines()[1:] if line.strip())
    used = {int(address.rpartition(":")[2], 16) for address in local}
    return sum(first <= port <= last for port in used)


async def unit_state(unit: str) -> Unit:
    """What systemd says of a unit; running when it says nothing, so that nothing is cut short."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            process = await asyncio.create_subprocess_exec(
                "systemctl",
                *("show", "--property=ActiveState", "--value", unit),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                answer, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    except (OSError, TimeoutError):
        return Unit.RUNNING
    return _STATES.get(answer.decode().strip(), Unit.RUNNING)
