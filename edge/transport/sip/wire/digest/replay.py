"""Which uses of which nonce were seen (RFC 7616 section 3.3, ``nc``), in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

_WINDOW = 64
"""How far counts of one nonce may overtake one another: datagrams do."""
_WHOLE = 2**32
"""Above every count."""


@dataclass(slots=True)
class _Uses:
    issued: float
    highest: int
    seen: int
    """Bit n: the count ``highest - n`` was used."""


class UsedNonces:
    """Holds at most ``limit`` nonces, only such as a right password was given with.

    When it is full the oldest goes, and with it every nonce that was not issued later: those are
    stale from then on. So forgetting never lets anything be used twice.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._uses: dict[bytes, _Uses] = {}
        self._floor = float("-inf")

    def __len__(self) -> int:
        return len(self._uses)

    def admit(self, nonce: bytes, issued: float, count: int | None, oldest: float) -> bool:
        """Note a use; False when it is a second one, or may be.

        ``count`` None is an answer without one (RFC 2069), which uses the nonce up. Nonces
        ``issued`` before ``oldest`` are refused by the caller, and forgotten here.
        """
        if issued <= self._floor:
            return False
        known = self._uses.get(nonce)
        if known is not None:
            return count is not None and _use(known, count)
        self._make_room(oldest)
        if issued <= self._floor or count == 0:
            return False
        self._uses[nonce] = _Uses(issued, _WHOLE if count is None else count, 1)
        return True

    def _make_room(self, oldest: float) -> None:
        while self._uses:
            first = next(iter(self._uses))
            issued = self._uses[first].issued
            if issued >= oldest and len(self._uses) < self._limit:
                return
            if issued >= oldest:
                self._floor = max(self._floor, issued)
            del self._uses[first]


def _use(uses: _Uses, count: int) -> bool:
    ahead = count - uses.highest
    if ahead > 0:
        uses.seen = (uses.seen << ahead) & (2**_WINDOW - 1) | 1 if ahead < _WINDOW else 1
        uses.highest = count
        return True
    bit = 1 << -ahead if -ahead < _WINDOW else 0
    if not bit or uses.seen & bit or count == 0:
        return False
    uses.seen |= bit
    return True
