"""The settings of a replica of the control plane, and the public keys of the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from control_plane.contract import JWKS_PATH
from edge.jwks import MAX_BYTES, KeysUnreadable, read_keys
from infra.cloud_init.document import ControlPlaneRole, NodeDocument
from inland.fleet.places import Places

FETCH_SECONDS = 5.0
MAX_PUBLISHED = 8
MAX_DRAIN_SECONDS = 300
IDLE_SECONDS = 90
"""More than the load balancer's 60, so that it is never us who close a connection in use."""

log = logging.getLogger(__name__)


async def fetch_signing_keys(http: aiohttp.ClientSession, replicas: Sequence[str]) -> list[bytes]:
    """The keys (PEM) that the replicas that answer sign with, each once; others are left out.

    Edges ask every replica for its key; that the others publish it too only matters while it is
    away. So nothing waits for it, and a fleet whose first replicas start together comes up.
    """
    found = await asyncio.gather(*(_signing_key(http, base) for base in replicas))
    return list(dict.fromkeys(key for key in found if key is not None))[:MAX_PUBLISHED]


async def _signing_key(http: aiohttp.ClientSession, base: str) -> bytes | None:
    """The *first* key of a replica's set, which is the one it signs with.

    Only that: if each published what the others publish, a key that was taken away would go round
    for ever.
    """
    try:
        async with http.get(
            base.rstrip("/") + JWKS_PATH,
            timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
            allow_redirects=False,
        ) as answer:
            if answer.status != 200:
                raise KeysUnreadable(f"status {answer.status}")
            body = await answer.content.read(MAX_BYTES)
        key = next(iter(read_keys(body).values())).key
        if not isinstance(key, Ed25519PublicKey):
            raise KeysUnreadable("a private key")
    except (aiohttp.ClientError, TimeoutError, KeysUnreadable, ValueError, RecursionError) as error:
        log.warning("a replica's key is not published here", extra={"code": type(error).__name__})
        return None
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def control_plane_settings(
    document: NodeDocument,
    role: ControlPlaneRole,
    places: Places,
    operator_key: str,
    published: int,
) -> dict[str, Any]:
    """A whole ``control_plane.settings.Settings`` as plain data; ``published`` keys are there."""
    catalogue = places.site / "catalogue.yaml"
    policy = {
        "bundle": str(places.policy_bundle),
        "keys": list(role.policy_keys),
        "state": str(places.policy_state),
    }
    return {
        "host": "0.0.0.0",
        "port": document.health_port,
        "tenants": str(places.site / "tenants.yaml"),
        **({"catalogue": str(catalogue)} if catalogue.exists() else {}),
        **({"policy": policy} if role.policy_keys else {}),
        "key_file": str(places.signing_key),
        "published_keys": [str(places.published_key(index)) for index in range(published)],
        "node_secrets": {region: list(known) for region, known in role.node_secrets.items()},
        "operator_key": operator_key,
        "trusted_proxies": 1,
        "idle_seconds": IDLE_SECONDS,
        "drain_seconds": min(document.lifecycle.drain_seconds, MAX_DRAIN_SECONDS),
    }
