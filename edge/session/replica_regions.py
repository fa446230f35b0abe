"""Which regions a session may be carried to: pure, by the law in force."""

from __future__ import annotations

from datetime import date

from regions.law import Law
from regions.models import DataClass, Operation
from regions.policy import allowed_set
from regions.tag import ResidencyTag

CARRIED = {
    DataClass.AUDIO: (Operation.PROCESS,),
    DataClass.TRANSCRIPT: (Operation.PROCESS, Operation.STORE, Operation.REPLICATE),
    DataClass.VARIABLES: (Operation.PROCESS, Operation.STORE, Operation.REPLICATE),
}
"""What the law must let a region do, so that a replica is of use there and may be there. A part of
a session is of no use: where one class may not be replicated, nothing is."""


def replica_regions(law: Law, tag: ResidencyTag, here: str, on: date) -> tuple[str, ...]:
    """The regions of the session's tag that law and contract let have a replica on that day.

    In the tag's order, without ``here``, and only those whose keys the operator's bundle names.
    Never one that is not in the tag.
    """
    contract = law.contract(tag.tenant)
    allowed = {*tag.allowed_regions} & {*law.replica_keys} - {here}
    for data_class, operations in CARRIED.items():
        for operation in operations:
            if not allowed:
                return ()
            decision = allowed_set(
                law.catalogue, tag.jurisdictions, contract, data_class, operation, on=on
            )
            allowed &= {*decision.allowed}
    return tuple(region for region in tag.allowed_regions if region in allowed)
