"""What the operator supplies outside of the stack, and what ACM holds: waited for, never logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate

from inland.fleet.aws import Aws, insist
from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError, Unusable

NO_VALUE = "ResourceNotFoundException"
"""Secrets Manager says so of a secret without a value, as of one that is not there."""

log = logging.getLogger(__name__)


class Supplies:
    """Secrets and certificates of the node's role."""

    def __init__(self, aws: Aws, clock: WaitingClock) -> None:
        self._aws = aws
        self._clock = clock

    async def secret(self, name: str) -> str:
        """The value of a secret; waits without limit until it has one."""
        failures = 0
        while True:
            value = await insist(self._clock, lambda: self._value(name))
            if value:
                return value
            failures += 1
            log.warning(
                "this secret has no value yet: run `inland regions supply` for this stack",
                extra={"reason": name},
            )
            await self._clock.sleep(backoff(failures))

    async def variables(self, name: str, wanted: Collection[str]) -> dict[str, str]:
        """The ``wanted`` variables of a secret that is a JSON object; waits until all are there.

        Raises :class:`Unusable` when it is something else.
        """
        failures = 0
        while True:
            found = _object(name, await self.secret(name))
            missing = sorted(set(wanted) - {key for key, value in found.items() if value})
            if not missing:
                return {key: found[key] for key in sorted(wanted)}
            failures += 1
            log.warning(
                "telephone passwords are missing: run `inland regions supply` with them",
                extra={"reason": ", ".join(missing)},
            )
            await self._clock.sleep(backoff(failures))

    async def certificate(self, arn: str, passphrase: str) -> tuple[bytes, bytes]:
        """Chain (leaf first) and key, both PEM, the key without a password.

        ``passphrase`` protects the key on its way ("Export a certificate", AWS Certificate Manager
        User Guide, 2026-11-21). Raises :class:`Unusable` when the key is not the certificate's.
        """
        answer = await insist(
            self._clock,
            lambda: self._aws.call(
                "acm",
                "export_certificate",
                CertificateArn=arn,
                Passphrase=passphrase.encode(),
            ),
        )
        leaf = answer["Certificate"].strip()
        chain = f"{leaf}\n{answer.get('CertificateChain', '').strip()}".strip() + "\n"
        try:
            key = load_pem_private_key(answer["PrivateKey"].encode(), passphrase.encode())
            spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            certified = load_pem_x509_certificate(leaf.encode()).public_key()
            same = key.public_key().public_bytes(*spki) == certified.public_bytes(*spki)
        except (ValueError, TypeError):  # not passed on: it may quote the key
            same = False
        if not same:
            raise Unusable(f"certificate {arn}: the exported key is not that of the certificate")
        return chain.encode(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    async def _value(self, name: str) -> str:
        try:
            answer = await self._aws.call("secretsmanager", "get_secret_value", SecretId=name)
        except AwsError as error:
            if error.code != NO_VALUE:
                raise
            return ""
        return str(answer.get("SecretString", "")).strip()


def _object(name: str, text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:  # not passed on: it quotes the secret
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Unusable(f"secret {name}: should be one JSON object, variable name to password")
    return found
