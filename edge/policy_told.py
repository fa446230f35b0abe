"""A worker's side of the law: how it begins with one, and is told of a newer one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from edge.clock import Clock
from edge.law import LawInForce
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from regions.bundle import BundleRefused, newer, verify
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import Catalogue

REVIEW_SECONDS = 60.0
"""Rules begin and end with the day; a clock that was set is noticed this soon."""
DAY_SECONDS = 86_400


def law_to_begin_with(
    settings: NodeSettings, clock: Clock, *, bundle: str | None, catalogue: str | None
) -> LawInForce:
    """What a worker's order says: the dispatcher's law, bundle or catalogue as JSON.

    Without either it is the catalogue of the settings. A bundle is verified here as well. Raises
    ``ConfigError``, ``BundleRefused``.
    """
    if bundle is not None and settings.policy is not None:
        raw = bundle.encode()
        return LawInForce(verify(raw, settings.policy.trusted).law(), clock, raw)
    if catalogue is not None:
        return LawInForce(Law(Catalogue.model_validate_json(catalogue)), clock)
    return LawInForce(Law(load_catalogue(settings.catalogue)), clock)


class ToldLaw:
    """Takes the bundles that the dispatcher sends.

    When :meth:`take` returns, whoever hears of changes has been told: the answer to the dispatcher
    says that every live call has been asked again.
    """

    def __init__(self, law: LawInForce, settings: NodeSettings) -> None:
        self._law = law
        self._trusted = () if settings.policy is None else settings.policy.trusted
        self._turn = asyncio.Lock()

    async def take(self, bundle: bytes) -> None:
        """Put a bundle in force; the one that is in force already is fine too.

        Raises ``EdgeRefusal`` (``bad_request``) for one that the dispatcher should not have sent.
        """
        async with self._turn:
            try:
                body = await asyncio.to_thread(verify, bundle, self._trusted)
                if newer(body, self._law.now):
                    self._law.replace(body.law(), bundle)
            except BundleRefused as refused:
                raise EdgeRefusal("bad_request", f"policy ({refused.code}): {refused}") from refused


async def review_daily(
    review: Callable[[], None], settle: Callable[[], Awaitable[None]], clock: Clock
) -> None:
    """Ask for every call again at midnight UTC and each minute, until cancelled."""
    while True:
        await asyncio.sleep(seconds_to_review(clock.wall()))
        review()
        await settle()


def seconds_to_review(now: float) -> float:
    """From ``now`` (Unix seconds) to the next midnight UTC, a minute at most. Pure."""
    return min(REVIEW_SECONDS, DAY_SECONDS - now % DAY_SECONDS)
