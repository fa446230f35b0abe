"""Puts into a stack what no stack may hold: secrets, and the bundles that its nodes install.

Pulumi makes the containers only, so that no secret is ever in its state. A secret that has a value
is left alone: running this again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.session.keys import new_key_file
from infra.rules.model import Graph
from inland.provision.cloud import Cloud, in_words
from inland.provision.errors import CloudFailed, GateClosed
from inland.provision.placed import Placed, buckets_of, secrets_of

MAX_PHONE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Supplied:
    """What came of one secret or bundle. ``sha256`` is told where another stack needs it."""

    what: str
    region: str
    outcome: str
    sha256: str | None = None


def supply_secrets(
    cloud: Cloud,
    graph: Graph,
    *,
    phone: Mapping[str, str] | None = None,
    operator_sha256: str | None = None,
) -> Iterable[Supplied]:
    """Give every secret of the stack that has no value one; yields as it goes.

    ``phone`` are the telephone passwords (variable to value); given, they replace the former ones.
    ``operator_sha256`` is the hash of the control plane's operator key. Raises ``CloudFailed``.
    """
    for secret in secrets_of(graph):
        kind = secret.name.rsplit("/", 1)[-1]
        client = cloud.client("secretsmanager", secret.region)
        with in_words(f"reading secret {secret.name} in {secret.region}"):
            value = _value(client, secret.name)
        wanted = _wanted(kind, secret, phone, operator_sha256, value)
        if wanted is None:
            outcome = "has a value" if value is not None else "EMPTY: " + _cure(kind)
        else:
            with in_words(f"writing secret {secret.name} in {secret.region}"):
                client.put_secret_value(SecretId=secret.name, SecretString=wanted)
            outcome = "filled" if value is None else "replaced"
            value = wanted
        told = _sha256(value.encode()) if kind == "node-secret" and value is not None else None
        yield Supplied(secret.name, secret.region, outcome, told)


def supply_bundles(cloud: Cloud, graph: Graph, bundles: Mapping[str, Path]) -> Iterable[Supplied]:
    """Upload bundles, by the digests that the stack file names, into every software bucket.

    Raises ``GateClosed`` where a file is another one, before anything is sent, and ``CloudFailed``.
    """
    for digest, path in bundles.items():
        require_bundle(path, digest)
    for bucket in buckets_of(graph, "software"):
        client = cloud.client("s3", bucket.region)
        for digest, path in bundles.items():
            key = f"software/{digest}.tar"
            with in_words(f"uploading {path.name} to {bucket.name}"), path.open("rb") as file:
                client.upload_fileobj(file, bucket.name, key)
            yield Supplied(f"{path.name} -> {bucket.name}/{key}", bucket.region, "uploaded")


def require_bundle(path: Path, digest: str) -> None:
    """Raises ``GateClosed`` unless ``path`` is the file of that digest."""
    found = file_sha256(path)
    if found != digest:
        raise GateClosed(
            f"{path}: has sha256 {found}, the stack file names {digest}: write the new one "
            "there, plan and go up again, or give the file that it means"
        )


def read_phone(path: Path) -> dict[str, str]:
    """Telephone passwords from a JSON file (variable to value). Raises ``GateClosed``."""
    try:
        raw = path.read_bytes()[: MAX_PHONE_BYTES + 1]
        found: Any = json.loads(raw) if len(raw) <= MAX_PHONE_BYTES else None
    except OSError as error:
        raise GateClosed(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:  # not passed on: it quotes the file, and the file is secret
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise GateClosed(f"{path}: should be one JSON object, variable name to password")
    return found


def file_sha256(path: Path) -> str:
    """The digest of a file. Raises ``GateClosed`` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GateClosed(f"{path}: cannot be read: {error.strerror}") from error


def _wanted(
    kind: str,
    secret: Placed,
    phone: Mapping[str, str] | None,
    operator_sha256: str | None,
    value: str | None,
) -> str | None:
    """The value to write, None to leave the secret as it is."""
    if kind == "phone":
        if phone is not None:
            return json.dumps(dict(phone), sort_keys=True)
        return "{}" if value is None else None
    if kind == "operator-key":
        return operator_sha256 if operator_sha256 not in (None, value) else None
    if value is not None:
        return None
    makers: dict[str, Callable[[], str]] = {
        "node-secret": lambda: secrets.token_urlsafe(32),
        "turn": lambda: secrets.token_urlsafe(32),
        "region-key": lambda: new_key_file(secret.region),
        "signing-key": _signing_key,
    }
    if kind not in makers:
        raise CloudFailed(f"secret {secret.name}: nothing here knows how to fill it")
    return makers[kind]()


def _cure(kind: str) -> str:
    return "give --operator-key FILE" if kind == "operator-key" else "supply it"


def _value(client: Any, name: str) -> str | None:
    """The secret's present value, None while it has none."""
    try:
        return str(client.get_secret_value(SecretId=name)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        # Also what AWS says of a secret without a value; a secret that is not there at all is
        # refused when it is written.
        return None


def _signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _sha256(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()
