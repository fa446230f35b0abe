"""One worker's place in the dispatcher: what is known of it, and how it is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
from pydantic import ValidationError
from yarl import URL

from control_plane.contract import Problem
from edge.internal import WorkerStatus
from edge.problem import STATUS, EdgeRefusal

REQUEST_SECONDS = 15.0
"""What a worker may take to answer, unless told otherwise."""


class WorkerAway(EdgeRefusal):
    """The worker did not answer: it hangs, or has just ended. Another one may."""

    def __init__(self) -> None:
        super().__init__("not_ready", "the call's worker went away; reconnect")


@dataclass(slots=True)
class WorkerSlot:
    """One worker's place: its process may be replaced, its index stays."""

    index: int
    socket: Path
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    status: WorkerStatus | None = None
    opening: int = 0
    """Calls sent to it that it has not reported yet."""
    heard: float = 0.0
    """When its last status came, by the pool's clock."""
    silent: float = 0.0
    """Seconds without a line from it, of those in which this process was awake to read one."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def load(self) -> int:
        """Calls it has or is about to have."""
        return (self.status.active if self.status else 0) + self.opening

    @property
    def free(self) -> int:
        """Calls it can still take; 0 when it is not ready."""
        return max(0, self.status.capacity - self.load) if self.status else 0

    async def ask(
        self,
        method: str,
        *path: str,
        body: str = "",
        seconds: float = REQUEST_SECONDS,
        expect: int | None = None,
    ) -> bytes:
        """Pass a request to the worker; its refusals become ours.

        ``path`` is quoted segment by segment, so none of them can climb out of its place. Raises
        ``EdgeRefusal``; :class:`WorkerAway` when it did not answer in ``seconds``; ``not_ready``
        too when the status is not ``expect``, or no success where nothing is expected.
        """
        where = "/" + "/".join(quote(segment, safe="") for segment in path)
        url = URL.build(scheme="http", host="worker", path=where, encoded=True)
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.client.request(
                method, url, data=body.encode(), timeout=timeout, allow_redirects=False
            ) as got:
                answer = await got.read()
                status = got.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise WorkerAway from error
        if status == expect or (expect is None and status < 300):
            return answer
        raise _refusal(answer)


def _refusal(answer: bytes) -> EdgeRefusal:
    try:
        problem = Problem.model_validate_json(answer)
    except ValidationError:
        problem = None
    if problem is None or problem.code not in STATUS:
        return EdgeRefusal("not_ready", "the call's worker failed; try again")
    return EdgeRefusal(problem.code, problem.detail)
