"""What a node must not be told when callers are real: ``inland edge --production``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from edge.session.redis_settings import RedisSettings
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
    store, keys = settings.store, settings.keys.redis
    if store is not None and _in_the_clear(store):
        yield "store.redis: its passwords would be in the clear on the way: write rediss://"
    if store is not None and keys and _in_the_clear(store.model_copy(update={"redis": keys})):
        yield "keys.redis: its passwords would be in the clear on the way: write rediss://"


def _in_the_clear(server: RedisSettings) -> bool:
    return not server.tls and server.socket is None and not is_loopback(server.address[0])
