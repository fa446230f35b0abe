"""A place of recordings that hangs holds up nobody, and keeps nothing of what it was given."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from functools import partial

import pytest

from edge.recording.errors import ArchiveBusy
from edge.session.hands import MAX_WAITING, Hands

HANG_SECONDS = 60.0


class Body:
    """A segment that is to be written."""


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """Set when the disk works again."""
    works = threading.Event()
    yield works
    works.set()


async def test_a_step_that_hangs_is_given_up(hung: threading.Event) -> None:
    hands = Hands("the place of recordings", ArchiveBusy, threads=1, seconds=0.01)
    async with asyncio.timeout(HANG_SECONDS):
        with pytest.raises(ArchiveBusy):
            await hands.ask(hung.wait)
    hands.close()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_what_nobody_waits_for_takes_no_memory(
    hung: threading.Event, cancelled: bool
) -> None:
    """The thread's own queue keeps what was cancelled until the thread looks."""
    hands = Hands(
        "the place of recordings",
        ArchiveBusy,
        threads=1,
        seconds=HANG_SECONDS if cancelled else 0.05,
    )
    blocking = asyncio.ensure_future(hands.ask(hung.wait))
    body = Body()
    seen, waiting = weakref.ref(body), asyncio.ensure_future(hands.ask(partial(id, body)))
    del body
    await asyncio.sleep(0)
    if cancelled:
        waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled() or isinstance(waiting.exception(), ArchiveBusy)
    del waiting
    gc.collect()
    assert seen() is None
    hung.set()
    await asyncio.gather(blocking, return_exceptions=True)
    hands.close()


async def test_no_more_wait_than_are_let(hung: threading.Event) -> None:
    hands = Hands("the place of recordings", ArchiveBusy, threads=1, seconds=HANG_SECONDS)
    asked = [asyncio.ensure_future(hands.ask(hung.wait)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(ArchiveBusy, match="too many"):
        await hands.ask(hung.wait)
    hung.set()
    assert all(await asyncio.gather(*asked))
    assert await hands.ask(lambda: 7) == 7
    hands.close()
