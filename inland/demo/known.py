"""Whether the control plane has heard of the nodes: a node is ready before its first beat is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

import aiohttp
from pydantic import ValidationError

from control_plane.contract import State
from inland.caller.options import DEMO_KEY
from inland.demo.child import POLL_SECONDS, Child, DemoError

KNOWN_SECONDS = 30.0
"""What a beat may take on a slow machine: nodes that are ready beat each second."""


async def until_known(
    control_plane: str,
    regions: Collection[str],
    http: aiohttp.ClientSession,
    children: Collection[Child],
    *,
    within: float = KNOWN_SECONDS,
) -> None:
    """Poll the control plane at that address until it can place callers in each of ``regions``.

    Raises :class:`DemoError` when one of ``children`` ends first, or it takes more than ``within``
    seconds.
    """
    deadline = time.monotonic() + within
    while missing := await _missing(control_plane, regions, http):
        for child in children:
            if child.process.returncode is not None:
                raise DemoError(child.last_words())
        if time.monotonic() > deadline:
            raise DemoError(
                f"the control plane has not heard of {', '.join(missing)} within {within:.0f} s; "
                "the logs of their nodes say why"
            )
        await asyncio.sleep(POLL_SECONDS)


async def _missing(
    control_plane: str, regions: Collection[str], http: aiohttp.ClientSession
) -> list[str]:
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    try:
        async with http.get(f"{control_plane}/v1/state", headers=headers) as answer:
            state = State.model_validate_json(await answer.read())
    except (aiohttp.ClientError, TimeoutError, ValidationError):
        return list(regions)
    roomy = {status.region for status in state.regions if status.active < status.capacity}
    return [region for region in regions if region not in roomy]
