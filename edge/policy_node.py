"""How a node begins with a law, and follows its operator's bundles from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from edge.audit_trail import Audit
from edge.clock import Clock
from edge.law import LawInForce
from edge.policy_keeper import PolicyKeeper
from edge.policy_kept import KeptBroken, KeptBundle
from edge.policy_sources import FileSource, Source, control_plane_sources
from edge.settings import NodeSettings
from regions.catalogue import load_catalogue
from regions.law import Law


class NoLaw(Exception):
    """There is no law to begin with; the text says why and what to do."""


def law_kept(settings: NodeSettings) -> tuple[Law, bytes | None]:
    """The law that was last in force here, with its bundle; else the catalogue, without one.

    The node's region may not be in it. Raises :class:`NoLaw`, ``ConfigError``.
    """
    policy, kept = settings.policy, None
    if policy is not None:
        try:
            kept = KeptBundle(settings.data, policy.trusted).read()
        except KeptBroken as error:
            raise NoLaw(f"policy: {error}") from error
    if kept is None:
        return Law(load_catalogue(settings.catalogue)), None
    return kept.body.law(), kept.raw


def first_law(settings: NodeSettings, clock: Clock) -> LawInForce:
    """The law that a node begins with. Raises :class:`NoLaw`, ``ConfigError``."""
    law, bundle = law_kept(settings)
    catalogue = law.catalogue
    if all(region.id != settings.region for region in catalogue.regions):
        raise NoLaw(
            f"region {settings.region}{catalogue.hint(settings.region)} is not in the "
            f"{'catalogue' if bundle is None else 'policy bundle that was last in force'} "
            f"({', '.join(region.id for region in catalogue.regions)})"
        )
    return LawInForce(law, clock, bundle, follows=settings.policy is not None)


async def keeper_of(
    law: LawInForce, settings: NodeSettings, secret: str, audit: Audit, closing: AsyncExitStack
) -> PolicyKeeper | None:
    """What looks for newer bundles, where the settings say whose."""
    policy = settings.policy
    if policy is None:
        return None
    sources: tuple[Source, ...]
    if policy.file is not None:
        sources = (FileSource(policy.file),)
    else:
        sources = await closing.enter_async_context(
            control_plane_sources(settings.control_planes, secret)
        )
    return PolicyKeeper(
        law,
        policy.trusted,
        KeptBundle(settings.data, policy.trusted),
        sources,
        region=settings.region,
        refresh_seconds=policy.refresh_seconds,
        audit=audit,
    )


def hints_for(policy: PolicyKeeper | None) -> Callable[[int], None]:
    """What the heartbeats' threads tell of newer bundles, on the loop that looks for them."""
    if policy is None:
        return lambda serial: None
    loop, hint = asyncio.get_running_loop(), policy.hint

    def tell(serial: int) -> None:
        with suppress(RuntimeError):  # the loop is closed: the node is gone
            loop.call_soon_threadsafe(hint, serial)

    return tell
