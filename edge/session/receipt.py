"""The receipt of a call: where its data was, signed by the region's key.

A receipt is a JWS in compact form (RFC 7515) under EdDSA with Ed25519 (RFC 8037). Its payload is
the account as JSON. It names the digest of the session's previous receipt, so that one that is left
out, changed or put in shows, and which leg of the session it is of: a leg whose node died leaves no
receipt, and its number is missing. It holds no word, number or address of a caller.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import Field, StringConstraints, ValidationError

from edge.ledger import Kind, Ledger
from edge.session.errors import ReceiptRefused
from edge.session.records import MAX_RECEIPT, Seconds, Token
from regions.models import DataClass, Id, Operation, Strict

TYPE = "inland-receipt+jws"
RECEIPT_PURPOSE = "receipt"
"""The region's subkey that signs (``LocalKeyFile.subkey``)."""
MAX_WORDS = 300

Text = Annotated[str, StringConstraints(max_length=MAX_WORDS)]
Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Line(Strict):
    """What one place had of one class of data (:class:`edge.ledger.Entry`)."""

    kind: Kind
    name: Text
    region: Text
    endpoint: Text = ""
    data_class: DataClass
    operation: Operation
    first: Seconds
    last: Seconds
    sent: Count
    received: Count


class RefusedLine(Strict):
    """What was kept from a place, and by which rule."""

    kind: Kind
    name: Text
    region: Text
    endpoint: Text = ""
    data_class: DataClass
    reason: Text
    first: Seconds
    last: Seconds
    count: Count


class CarriedFrom(Strict):
    """A session that began in another region, from whose replica this call went on."""

    region: Id
    turn: Annotated[int, Field(ge=0)]
    """The last one in the replica."""
    sealed: Seconds
    """When that region sealed it."""


class Narrowed(Strict):
    """The law in force was tightened at that time. Every line after it is held to what it left."""

    at: Seconds
    policy: Annotated[str, StringConstraints(max_length=128)]
    allowed: dict[DataClass, tuple[Id, ...]]


class Account(Strict):
    """Where the data of one call was, or has been so far."""

    v: Literal[1] = 1
    call_id: Token
    session_id: Token
    tenant: Id
    agent: Id
    region: Id
    node: Id
    jurisdictions: tuple[Id, ...]
    policy: Annotated[str, StringConstraints(max_length=128)]
    allowed: dict[DataClass, tuple[Id, ...]]
    """Class of data to the regions that may have it, from the beginning of the call."""
    narrowed: tuple[Narrowed, ...] = ()
    """What of it was taken away meanwhile, in order; else there is no such key."""
    began: Seconds
    ended: Seconds
    lines: tuple[Line, ...]
    refused: tuple[RefusedLine, ...]
    left_out: Count
    """Lines beyond what is kept; above zero this is not the whole account."""
    carried: CarriedFrom | None = None
    """Where the call's beginning was; else there is no such key, which older programs refuse."""

    @property
    def outside(self) -> tuple[Line, ...]:
        """Lines of places outside the allowed set; a caller's own line is nobody's choice."""
        return tuple(
            line
            for line in self.lines
            if line.kind not in ("caller", "carrier")
            and line.region not in self._allowed_at(line.last).get(line.data_class, ())
        )

    def _allowed_at(self, when: float) -> Mapping[DataClass, tuple[str, ...]]:
        """What counted for data that was somewhere at that time for the last time: tightening takes
        regions away and gives none back, so earlier times are covered."""
        then = [change.allowed for change in self.narrowed if change.at < when]
        return then[-1] if then else self.allowed


class Receipt(Account):
    """The account of a call that is over (one leg of a session)."""

    leg: Annotated[int, Field(ge=1)]
    """Counts the session's owners from 1, whether or not their calls left a receipt."""
    previous: Digest | None
    """SHA-256 of the session's previous receipt as it was signed; None for its first one."""


def lines_of(ledger: Ledger) -> tuple[tuple[Line, ...], tuple[RefusedLine, ...]]:
    """A ledger's account as a receipt has it."""
    lines = tuple(
        Line(
            kind=entry.place.kind,
            name=entry.place.name[:MAX_WORDS],
            region=entry.place.region[:MAX_WORDS],
            endpoint=entry.place.endpoint[:MAX_WORDS],
            data_class=entry.data_class,
            operation=entry.operation,
            first=entry.first,
            last=entry.last,
            sent=entry.sent,
            received=entry.received,
        )
        for entry in ledger.entries
    )
    refused = tuple(
        RefusedLine(
            kind=attempt.place.kind,
            name=attempt.place.name[:MAX_WORDS],
            region=attempt.place.region[:MAX_WORDS],
            endpoint=attempt.place.endpoint[:MAX_WORDS],
            data_class=attempt.data_class,
            reason=attempt.reason[:MAX_WORDS],
            first=attempt.first,
            last=attempt.last,
            count=attempt.count,
        )
        for attempt in ledger.attempts
    )
    return lines, refused


class ReceiptKey:
    """Signs a region's receipts. ``secret`` is 32 bytes that only its nodes have:
    ``LocalKeyFile.subkey("receipt")``."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key()
        self.key_id = key_id(self.public)

    def sign(self, receipt: Receipt) -> str:
        """The receipt as a JWS."""
        return jwt.api_jws.encode(
            receipt.model_dump_json(exclude=_absent(receipt)).encode(),
            self._key,
            algorithm="EdDSA",
            headers={"kid": self.key_id, "typ": TYPE},
        )


def _absent(receipt: Receipt) -> set[str]:
    absent = {"carried"} if receipt.carried is None else set()
    return absent if receipt.narrowed else absent | {"narrowed"}


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(_raw(key)).hexdigest()[:16]


def public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """The key as a JWK (RFC 8037)."""
    found: dict[str, Any] = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key))
    return {**found, "kid": key_id(key), "alg": "EdDSA", "use": "sig"}


def digest_of(signed: str) -> str:
    """What the next receipt of the session names."""
    return hashlib.sha256(signed.encode()).hexdigest()


def read_receipt(signed: str, keys: Mapping[str, Ed25519PublicKey]) -> Receipt:
    """The receipt, if one of ``keys`` (by key id) signed it. Raises ``ReceiptRefused``."""
    if len(signed) > MAX_RECEIPT or not signed.isascii():
        raise ReceiptRefused("not a receipt: too long, or not ASCII")
    try:
        header = jwt.get_unverified_header(signed)
        if header.get("typ") != TYPE:
            raise ReceiptRefused("not a receipt: another type of JWS")
        key = keys.get(str(header.get("kid")))
        if key is None:
            raise ReceiptRefused("signed by a key that is not among the given ones")
        payload = jwt.api_jws.decode(signed, key, algorithms=["EdDSA"])
        return Receipt.model_validate_json(payload)
    except jwt.InvalidSignatureError as error:
        raise ReceiptRefused("the signature is not that of this text") from error
    except jwt.PyJWTError as error:
        raise ReceiptRefused("not a receipt: no JWS") from error
    except ValidationError as error:
        raise ReceiptRefused(
            f"signed, but no receipt: {error.error_count()} wrong fields"
        ) from error


@dataclass(frozen=True, slots=True)
class Chain:
    """A session's receipts, each following the one before.

    ``missing`` are the legs before the latest one that left no receipt: their node died, or they
    were never begun. ``twice`` are numbers that two legs have: the store lost its last moments.
    """

    receipts: tuple[Receipt, ...]
    missing: tuple[int, ...]
    twice: tuple[int, ...]


def check_chain(signed: Sequence[str], keys: Mapping[str, Ed25519PublicKey]) -> Chain:
    """A session's receipts from its first one on, in the order they were signed.

    Raises ``ReceiptRefused``, which says where the chain breaks.
    """
    found: list[Receipt] = []
    before: str | None = None
    for number, text in enumerate(signed, start=1):
        try:
            receipt = read_receipt(text, keys)
        except ReceiptRefused as error:
            raise ReceiptRefused(f"receipt {number}: {error}") from error
        if receipt.previous != before:
            raise ReceiptRefused(
                f"receipt {number}: does not follow the one before it: one was left out, "
                "changed or put in"
            )
        if found and receipt.session_id != found[0].session_id:
            raise ReceiptRefused(f"receipt {number}: is another session's")
        found.append(receipt)
        before = digest_of(text)
    legs = Counter(receipt.leg for receipt in found)
    return Chain(
        tuple(found),
        missing=tuple(leg for leg in range(1, max(legs, default=0)) if leg not in legs),
        twice=tuple(sorted(leg for leg, count in legs.items() if count > 1)),
    )


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
