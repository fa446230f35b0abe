"""What a node must not be told when callers are real: ``inland edge --production``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from edge.settings import NodeSettings
from regions.providers import is_loopback


def production_problems(settings: NodeSettings) -> tuple[str, ...]:
    """Each a key, what is wrong and what to do. Pure."""
    return tuple(_problems(settings))


def _problems(settings: NodeSettings) -> Iterator[str]:
    if settings.drills:
        yield "drills: callers could kill workers: remove it"
    if not settings.url.startswith("https:"):
        yield (
            "public_url: callers' tokens and words would be in the clear on the way: add tls, or "
            "the https:// address of the proxy in front"
        )
    for index, plane in enumerate(settings.control_planes):
        url = urlsplit(plane)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            yield (
                f"control_planes[{index}]: whoever is on the way could hand out keys, and let in "
                "any caller: write https://"
            )
    store = settings.store
    open_way = store is not None and not store.tls and store.socket is None
    if store is not None and open_way and not is_loopback(store.address[0]):
        yield "store.redis: its passwords would be in the clear on the way: write rediss://"
