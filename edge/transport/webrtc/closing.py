"""Steps of a close: one that fails must not keep the others from freeing what they hold."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def attempt(step: Callable[[], Awaitable[object]]) -> None:
    """Await ``step()``. Raises nothing but ``CancelledError``."""
    try:
        await step()
    except Exception as error:
        _log(error)


def attempt_now(step: Callable[[], object]) -> None:
    """Call ``step``. Raises nothing."""
    try:
        step()
    except Exception as error:
        _log(error)


def _log(error: Exception) -> None:
    # Its text may hold what the far end sent.
    logger.error("a step of closing a connection failed", extra={"code": type(error).__name__})
