"""What of a node's settings does not fit this machine: files that are not there, or no good."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

from edge.https import CertificateExpired, https_context
from edge.session.errors import KeyFileError, StoreBroken
from edge.session.keys import LocalKeyFile
from edge.session.redis_settings import RedisSettings
from edge.settings import NodeSettings
from edge.transport.sip.net.errors import TlsFilesError
from edge.turn import TurnSecretError, read_turn_secret


def node_problems(settings: NodeSettings, now: datetime) -> tuple[str, ...]:
    """Each a key, what is wrong and what to do. Reads files, keeps none, talks to nobody."""
    return tuple(_problems(settings, now))


def _problems(settings: NodeSettings, now: datetime) -> Iterator[str]:
    if settings.tls is not None:
        try:
            https_context(settings.tls, now)
        except (TlsFilesError, CertificateExpired) as error:
            yield f"tls: {error}"
    if settings.key_file is not None:
        try:
            LocalKeyFile.open(settings.key_file, settings.region, make=False)
        except KeyFileError as error:
            yield f"key_file: {error}"
    if settings.store is not None:
        yield from _store(settings.store)
    if settings.turn is not None:
        try:
            read_turn_secret(settings.turn.secret_file)
        except TurnSecretError as error:
            yield f"turn.secret_file: {error}"


def _store(store: RedisSettings) -> Iterator[str]:
    # Only a node with such a store needs the client.
    from edge.session.redis_connections import tls_context
    from edge.session.redis_login import aws_session

    try:
        tls_context(store)
        if store.aws_cache is not None:
            aws_session()
    except StoreBroken as error:
        yield str(error)
    users = {f"users.{tenant}": user for tenant, user in store.users.items()}
    if store.sentinel_user is not None:
        users["sentinel_user"] = store.sentinel_user
    for key, user in users.items():
        path = user.password_file
        if path is not None and not os.access(path, os.R_OK):
            yield f"store.{key}.password_file: {path} is not there, or may not be read"
