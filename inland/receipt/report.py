"""A verdict for people, and for programs."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.session.receipt import Receipt
from inland.receipt.verdict import Verdict
from inland.table import print_table

PROVES = """\
What the signature proves: a node of the region wrote this account when the call ended, and nobody
has changed it since. What it does not prove: that the node was honest, what became of data beyond
the places named here (a telephone network, the caller's own), or what Python tools sent by
themselves. Regions are those that the node's settings and the provider catalogue give to a place.\
"""


def print_verdict(verdict: Verdict, *, trusted: bool, single: bool) -> None:
    """Every receipt as a table, then what follows from them.

    ``trusted``: the keys are from elsewhere than the receipts.
    """
    for receipt in verdict.receipts:
        _print_receipt(receipt)
    if verdict.broken:
        print(f"INVALID  {verdict.broken}")
        return
    print(PROVES)
    print()
    if not trusted:
        print(
            "WARNING  signed by the key that came with it: whoever made the one may have made the "
            "other.\n         Give --keys with the region's key from elsewhere, or --edge."
        )
    for leg in verdict.missing:
        print(f"GAP      leg {leg} has no receipt: its node died, or it was never begun")
    for leg in verdict.twice:
        print(f"GAP      leg {leg} is there twice: the store lost its last moments in between")
    for receipt in verdict.cut_short:
        print(f"CUT      call {receipt.call_id}: {receipt.left_out} entries were left out")
    for receipt, line in verdict.outside:
        print(
            f"OUTSIDE  call {receipt.call_id}: {line.data_class.value} in "
            f"{_shown(line.region) or 'no region'} ({line.kind} {_shown(line.name)})"
        )
    if single:
        print("NOTE     each receipt by itself: whether others of the session are missing is open")
    if verdict.good:
        count = len(verdict.receipts)
        print(f"INSIDE   {count} receipt{'s' * (count > 1)}: every place may have the data it had")


def as_json(verdict: Verdict, *, trusted: bool) -> dict[str, object]:
    """The same for programs."""
    return {
        "valid": not verdict.broken,
        "inside": verdict.good,
        "keys_trusted": trusted,
        "broken": verdict.broken,
        "missing_legs": list(verdict.missing),
        "legs_twice": list(verdict.twice),
        "outside": [
            {"call_id": receipt.call_id, **line.model_dump(mode="json")}
            for receipt, line in verdict.outside
        ],
        "receipts": [receipt.model_dump(mode="json") for receipt in verdict.receipts],
    }


def _print_receipt(receipt: Receipt) -> None:
    print(f"session   {receipt.session_id}, leg {receipt.leg}")
    print(f"call      {receipt.call_id}")
    print(f"agent     {receipt.agent} of {receipt.tenant}")
    print(f"node      {receipt.node} in {receipt.region}")
    print(f"time      {_day(receipt.began)} to {_day(receipt.ended)}")
    print(f"law       {', '.join(receipt.jurisdictions)}; policy {_shown(receipt.policy)}")
    for data_class, regions in receipt.allowed.items():
        print(f"allowed   {data_class.value}: {', '.join(regions) or 'nowhere'}")
    if receipt.carried is not None:
        carried = receipt.carried
        print(
            f"carried   by its caller from {carried.region}, {carried.turn} turns, sealed there at "
            f"{_day(carried.sealed)}: that region's receipts tell of them"
        )
    print(f"previous  {receipt.previous or 'none: the first of its session'}\n")
    outside = set(receipt.outside)
    rows = [
        (
            line.kind,
            _shown(line.name),
            _shown(line.region) or "-",
            line.data_class.value,
            line.operation.value,
            _clock(line.first),
            _clock(line.last),
            str(line.sent),
            str(line.received),
            (_shown(line.endpoint) or "-") + ("  OUTSIDE" if line in outside else ""),
        )
        for line in receipt.lines
    ]
    header = ("PLACE", "NAME", "REGION", "DATA", "OPERATION", "FIRST", "LAST", "SENT", "RECEIVED")
    print_table((*header, "ENDPOINT"), rows)
    if receipt.refused:
        print()
        refused = [
            (
                one.kind,
                _shown(one.name),
                _shown(one.region) or "-",
                one.data_class.value,
                str(one.count),
                _shown(one.reason),
            )
            for one in receipt.refused
        ]
        print_table(("REFUSED", "NAME", "REGION", "DATA", "TIMES", "WHY"), refused)
    print()


def _shown(text: str) -> str:
    """For a terminal: a receipt under a key of unknown origin may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
