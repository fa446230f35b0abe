"""The section ``keys`` of a node's settings: what wraps sessions' keys, and where they are kept."""

from __future__ import annotations

from edge.section import HomePath, Section
from edge.session.kms_settings import KmsSettings
from edge.session.redis_settings import RedisUrl


class KeysSettings(Section):
    """By default the region's key file wraps, and what it wrapped is kept beside the sessions.

    Resume tokens and receipts take the region's key file with AWS KMS too.
    """

    kms: KmsSettings | None = None
    folder: HomePath | None = None
    """Where a node whose sessions are in a file keeps their keys; by default ``keys`` in ``data``.
    No backup may copy it."""
    redis: RedisUrl | None = None
    """The server that keeps the keys of sessions that are in Redis, with the same users; by default
    the one that has the sessions. No backup may copy it."""
