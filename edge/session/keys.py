"""The keys of a region: they wrap each session's data key, and never leave the region."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import StringConstraints

from edge.session.errors import KeyFileError, RegionRefused, SealError
from regions.models import Id, Strict
from regions.tag import ResidencyTag

KEY_BYTES = 32
NONCE_BYTES = 12
MAX_FILE_BYTES = 4096
_FORMAT = 1
RING_FORMAT, KMS_FORMAT, VAULT_FORMAT = b"\x02", b"\x03", b"\x04"
"""The first byte of a wrapped key says what wrapped it; 1 is a key file."""


class KeyProvider(Protocol):
    """Wraps data keys for regions: a key file here, a cloud's key service elsewhere.

    The residency tag is bound to the wrapped key: a key unwraps only for the region it was wrapped
    for and under the very same tag.
    """

    @property
    def regions(self) -> Collection[str]:
        """The regions it can wrap for."""
        ...

    async def wrap(self, data_key: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        """Wrap a data key of 32 bytes for ``region``.

        Raises ``RegionRefused``, ``KeyRefused``, ``StoreBusy``, ``StoreBroken``.
        """
        ...

    async def unwrap(self, wrapped: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        """The data key again.

        Raises ``SealError`` when key, region or tag is another one, ``KeyDestroyed`` when it is no
        more, ``StoreBusy``, ``StoreBroken``.
        """
        ...


def derive(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA-256, RFC 5869)."""
    info = b"inland " + purpose.encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


class _KeyFile(Strict):
    version: Literal[1]
    region: Id
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    key: str


class LocalKeyFile:
    """One region's secret in a file that only its owner can read.

    Every node of the region has the same file. Wrapping is AES-256-GCM (NIST SP 800-38D) under a
    subkey; the format is version, key id, nonce, ciphertext.
    """

    def __init__(self, region: str, key_id: str, secret: bytes) -> None:
        self.region = region
        self.key_id = key_id
        """Names the key, tells nothing of it: 16 random hex digits."""
        self._secret = secret
        self._wrapping = AESGCM(self.subkey("wrap"))

    @classmethod
    def open(cls, path: Path, region: str, *, make: bool = True) -> Self:
        """Read the file, or make it with a new key when it does not exist and ``make`` says so.

        Several processes may do so at once; all end up with the same key. Blocks on the disk.
        Raises ``KeyFileError``.
        """
        try:
            if make and not path.exists():
                _create(path, region)
            raw = _read_private(path)
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be used: {error.strerror}") from error
        found = _parse(raw)
        if found is None:
            raise KeyFileError(f"{path}: not a key file: restore it from a backup")
        file, secret = found
        if file.region != region:
            raise KeyFileError(
                f"{path}: holds the key of region {file.region}, and this is {region}: "
                "name another file"
            )
        return cls(region, file.id, secret)

    @property
    def regions(self) -> tuple[str, ...]:
        return (self.region,)

    def subkey(self, purpose: str) -> bytes:
        """A key of 32 bytes for ``purpose``, different in each region."""
        return derive(self._secret, f"region {self.region} {purpose}")

    async def wrap(self, data_key: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        if region != self.region or region not in tag.allowed_regions:
            raise RegionRefused(f"no key may be wrapped for region {region}")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._wrapping.encrypt(nonce, data_key, binding(region, tag))
        return self._header() + nonce + sealed

    async def unwrap(self, wrapped: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        header = self._header()
        if region != self.region or not wrapped.startswith(header):
            raise SealError("the data key is wrapped under another region's key")
        nonce, sealed = _split(wrapped[len(header) :])
        try:
            return self._wrapping.decrypt(nonce, sealed, binding(region, tag))
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce cut short
            raise SealError("the data key does not unwrap under this residency tag") from error

    def _header(self) -> bytes:
        return bytes([_FORMAT]) + bytes.fromhex(self.key_id)


def binding(region: str, tag: ResidencyTag) -> bytes:
    """What a wrapped key is bound to."""
    return b"wrap\0" + region.encode() + b"\0" + tag.canonical()


def _split(raw: bytes) -> tuple[bytes, bytes]:
    return raw[:NONCE_BYTES], raw[NONCE_BYTES:]


def _parse(raw: bytes) -> tuple[_KeyFile, bytes] | None:
    try:
        found = _KeyFile.model_validate_json(raw)
        secret = base64.b64decode(found.key, validate=True)
    except ValueError:  # not passed on: it quotes the file, and the file is a secret
        return None
    return (found, secret) if len(secret) == KEY_BYTES else None


def new_key_file(region: str) -> str:
    """The text of a key file with a new key for ``region``. It is a secret."""
    body = {
        "version": 1,
        "region": region,
        "id": secrets.token_hex(8),
        "key": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
    }
    return json.dumps(body)


def _create(path: Path, region: str) -> None:
    """Put a new key file in place as a whole; one that is there by now wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(new_key_file(region))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces the key that another process has just made.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError(f"{path}: not a regular file")
        if mode & 0o077:
            raise KeyFileError(f"{path}: others can read it ({mode & 0o777:o}): chmod 600 {path}")
        return file.read(MAX_FILE_BYTES)
