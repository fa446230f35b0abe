"""What receipts prove: signatures, the chain, and whether every place was inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.session.errors import ReceiptRefused
from edge.session.receipt import Line, Receipt, check_chain, read_receipt
from inland.receipt.files import Keys


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. ``broken`` says why nothing is proven; then there are no receipts."""

    receipts: tuple[Receipt, ...]
    missing: tuple[int, ...] = ()
    twice: tuple[int, ...] = ()
    broken: str = ""

    @property
    def outside(self) -> tuple[tuple[Receipt, Line], ...]:
        """Each line outside the allowed set, with its receipt."""
        return tuple((receipt, line) for receipt in self.receipts for line in receipt.outside)

    @property
    def cut_short(self) -> tuple[Receipt, ...]:
        """Receipts that are not the whole account of their call."""
        return tuple(receipt for receipt in self.receipts if receipt.left_out)

    @property
    def good(self) -> bool:
        """Signed, whole and inside. A leg whose node died does not make it less so."""
        return not self.broken and not self.outside and not self.cut_short


def judge(signed: Sequence[str], keys: Keys, *, single: bool) -> Verdict:
    """The verdict over a session's receipts; ``single``: over each by itself, without a chain."""
    try:
        if single:
            return Verdict(tuple(read_receipt(text, keys) for text in signed))
        chain = check_chain(signed, keys)
    except ReceiptRefused as error:
        return Verdict((), broken=str(error))
    return Verdict(chain.receipts, chain.missing, chain.twice)
