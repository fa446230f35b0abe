"""What a node must not be told when callers are real: ``inland edge --production``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from edge.session.keys_settings import KeysSettings
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
    if settings.store is not None:
        yield from _stores(settings.store, settings.keys)


def _stores(store: RedisSettings, keys: KeysSettings) -> Iterator[str]:
    apart = keys.server_of(store) if keys.apart else None
    places = {
        "store.redis": store.servers if store.redis is not None else (),
        "store.nodes": store.servers if store.redis is None else (),
        "store.sentinels": store.watchers,
        "keys.redis": apart.servers if apart is not None and keys.redis is not None else (),
        "keys.nodes": apart.servers if apart is not None and keys.redis is None else (),
    }
    for key, servers in places.items():
        if any(not server.tls and not is_loopback(server.host) for server in servers):
            yield f"{key}: its passwords would be in the clear on the way: write rediss://"
