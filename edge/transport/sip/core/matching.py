"""Which messages belong together (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from edge.transport.sip.wire.message import Request
from edge.transport.sip.wire.values import MAGIC, Via

if TYPE_CHECKING:
    from edge.transport.sip.core.server_transaction import ServerTransaction


class ServerKey(NamedTuple):
    """What a request and its retransmissions, its CANCEL and its ACK share."""

    branch: str
    sent_by: str
    method: str

    def of(self, method: str) -> ServerKey:
        """The key of the request that an ACK or a CANCEL with this key is for."""
        return self._replace(method=method)


def server_key(request: Request, via: Via, to_tag: str) -> ServerKey:
    """The key of ``request``, which came with ``via`` on top; ``to_tag`` as its INVITE had it.

    A far end older than RFC 3261 makes branches that are not unique, or none; then nearly
    everything has to be the same.
    """
    if via.branch.lower().startswith(MAGIC.lower()) and len(via.branch) > len(MAGIC):
        return ServerKey(via.branch, via.sent_by, request.method)
    same = (
        via.branch,
        request.uri,
        request.from_.tag,
        to_tag,
        request.call_id,
        str(request.cseq.number),
    )
    return ServerKey("\n".join(same), via.sent_by, request.method)


def merge_key(request: Request) -> tuple[str, ...]:
    """What two copies of one request share that a fork upstream sent by different ways."""
    return (request.from_.tag, request.call_id, str(request.cseq))


UNIT = 4096
"""Bytes of a request that count as one more."""


def weight(request: Request) -> int:
    """How much it takes to keep ``request``: 1, and more for a large one."""
    size = len(request.body) + sum(len(value) for _, value in request.headers)
    return 1 + size // UNIT


class ServerTable:
    """The server transactions that are alive. ``load`` is their weight."""

    def __init__(self) -> None:
        self.load = 0
        self._by_source: Counter[str] = Counter()
        self._by_branch: dict[str, dict[ServerKey, ServerTransaction]] = {}
        self._by_merge: dict[tuple[str, ...], ServerTransaction] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def entries(self) -> int:
        """Everything that is held, for tests of leaks."""
        tables = (self._by_branch, self._by_merge, self._by_source)
        return self._count + self.load + sum(len(table) for table in tables)

    def load_of(self, source: str) -> int:
        """The weight of those that came from one host."""
        return self._by_source[source]

    def find(self, key: ServerKey) -> ServerTransaction | None:
        return self._by_branch.get(key.branch, {}).get(key)

    def of_branch(self, branch: str) -> Iterator[ServerTransaction]:
        """Those whose request had ``branch``; the table may change meanwhile."""
        return iter(tuple(self._by_branch.get(branch, {}).values()))

    def add(self, transaction: ServerTransaction) -> bool:
        """Keep ``transaction``; True when the same request is being answered already."""
        self._by_branch.setdefault(transaction.key.branch, {})[transaction.key] = transaction
        self._count += 1
        self._weigh(transaction, 1)
        first = self._by_merge.setdefault(transaction.merge_key, transaction)
        return first is not transaction and not first.refused

    def remove(self, transaction: ServerTransaction) -> None:
        """Forget ``transaction``."""
        same = self._by_branch[transaction.key.branch]
        del same[transaction.key]
        if not same:
            del self._by_branch[transaction.key.branch]
        self._count -= 1
        self._weigh(transaction, -1)
        if self._by_merge.get(transaction.merge_key) is transaction:
            del self._by_merge[transaction.merge_key]

    def _weigh(self, transaction: ServerTransaction, sign: int) -> None:
        source = transaction.flow.remote[0]
        self.load += sign * transaction.weight
        self._by_source[source] += sign * transaction.weight
        if not self._by_source[source]:
            del self._by_source[source]
