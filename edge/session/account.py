"""What a receipt is made of while its call goes on, and the seal under it at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.ledger import Ledger, Place
from edge.session.receipt import (
    Account,
    CarriedFrom,
    Narrowed,
    Receipt,
    ReceiptKey,
    digest_of,
    lines_of,
)
from edge.session.records import CallRecord
from regions.models import DataClass


@dataclass(frozen=True, slots=True)
class Notary:
    """Makes one call's account into a receipt.

    ``allowed`` maps each class of data to the regions that may have it, from the beginning;
    ``narrowed`` is what a law that came into force since took away.
    """

    ledger: Ledger
    key: ReceiptKey
    allowed: Mapping[DataClass, tuple[str, ...]]
    carried: CarriedFrom | None = None
    narrowed: list[Narrowed] = field(default_factory=list)

    def narrow(self, allowed: Mapping[DataClass, tuple[str, ...]], policy: str, at: float) -> None:
        """From ``at`` (Unix seconds) on nothing else is allowed."""
        self.narrowed.append(Narrowed(at=at, policy=policy, allowed=dict(allowed)))

    @property
    def left(self) -> Mapping[DataClass, tuple[str, ...]]:
        """What is allowed by now: a law that opens more than the one before gives nothing back."""
        return self.narrowed[-1].allowed if self.narrowed else self.allowed

    def account(self, record: CallRecord) -> Account:
        """What is known so far, unsigned. ``record`` is of this call, as it stands now."""
        lines, refused = lines_of(self.ledger)
        return Account(
            call_id=record.call_id,
            session_id=record.session_id,
            tenant=record.tenant,
            agent=record.agent,
            region=record.region,
            node=record.node,
            jurisdictions=record.jurisdictions,
            policy=record.policy,
            allowed=dict(self.allowed),
            narrowed=tuple(self.narrowed),
            began=record.started_at,
            ended=record.ended_at,
            lines=lines,
            refused=refused,
            left_out=self.ledger.overflow,
            carried=self.carried,
        )

    def sign(self, record: CallRecord, *, leg: int, before: CallRecord | None) -> str:
        """The receipt of leg ``leg``, as a JWS that names the receipt of the record ``before``."""
        signed_before = None if before is None else before.receipt
        return self.key.sign(
            Receipt(
                **dict(self.account(record)),
                leg=leg,
                previous=None if signed_before is None else digest_of(signed_before),
            )
        )


@dataclass(frozen=True, slots=True)
class Books:
    """A call's notary, and the two places that every call has."""

    notary: Notary
    host: Place
    store: Place
