"""Names of what a stack makes. Deterministic, so that ARNs and policies are known in a preview.

Names that AWS keeps per account or for the whole world hold the slug, which holds the region.
"""

from __future__ import annotations

from infra.components.place import Place


def prefixed(place: Place, *words: str) -> str:
    """``inland-<slug>-<words>``: roles, groups of nodes, store, topic, policies."""
    return "-".join(("inland", place.slug, *words))


def region_alias(place: Place) -> str:
    """Of the region's own key. An alias takes no dots (KMS API reference, CreateAlias)."""
    return f"alias/inland/{place.slug}"


def recordings_alias(place: Place) -> str:
    """Of the key that S3 seals recordings with, besides what is sealed on the nodes."""
    return f"alias/inland-recordings/{place.slug}"


def tenant_aliases(place: Place) -> str:
    """How the aliases of all tenants' keys begin."""
    return f"{region_alias(place)}/"


def tenant_alias(place: Place, tenant: str) -> str:
    """Of the key that a tenant's sessions are wrapped under, and so their recordings."""
    return f"{tenant_aliases(place)}{tenant}"


def recordings_bucket(place: Place) -> str:
    """Recordings of calls: ``<fleet>/<tenant>/...``."""
    return f"inland-recordings-{place.account_id}-{place.slug}"


def software_bucket(place: Place) -> str:
    """Bundles that nodes install: ``software/<sha256>.tar``."""
    return f"inland-software-{place.account_id}-{place.slug}"


def store_user(tenant: str) -> str:
    """The store's user of a tenant, which is its id too: IAM authentication wants both alike."""
    return f"inland-{tenant}"


def node_secret(place: Place) -> str:
    """By which nodes may beat."""
    return f"inland/{place.stack}/node-secret"


def region_key(place: Place) -> str:
    """The key file that sessions are sealed with."""
    return f"inland/{place.stack}/region-key"


def turn_secret(place: Place) -> str:
    """What TURN credentials are made with."""
    return f"inland/{place.stack}/turn"


def phone_secret(place: Place) -> str:
    """The telephone's passwords."""
    return f"inland/{place.stack}/phone"


def signing_key(place: Place, letter: str) -> str:
    """The key that a replica of the control plane signs route tokens with."""
    return f"inland/{place.stack}/{place.region}/{letter}/signing-key"


def operator_key(place: Place) -> str:
    """The digest of the operator's key, one secret per region of the control plane."""
    return f"inland/{place.stack}/{place.region}/operator-key"


def log_group(place: Place, what: str) -> str:
    """A log group of CloudWatch."""
    return f"/inland/{place.stack}/{what}"
