"""Where a far end's media really comes from (symmetric RTP, RFC 4961; latching, RFC 7362).

An address in a session description is what its writer believes to have; behind a NAT it is another.
So the first source whose packets make sense is taken for the far end, within a bounded time, and
then kept: whoever guesses the port later cannot move the media. Pure: sources and the time go in.

Without encryption these rules hold:

- A packet from the described or the signalling *host* is taken at once. While the window is open it
  replaces a stranger, and the described port replaces another of its host.
- A stranger is taken only while the window is open, after :data:`PROBATION` packets in sequence.
- What was taken stays until the description names another address, or is repeated while nothing is
  heard from it.

With encryption an authenticated packet is proof, so its source is taken at any time.
"""

from __future__ import annotations

from edge.transport.sip.core.flow import Address

WINDOW = 10.0
"""Seconds after an agreement, or after the call stands, in which a stranger may be taken."""

PROBATION = 4
"""Packets in sequence that a stranger has to send: a spray at random hits no such row."""

MAX_STRANGERS = 8
"""Strangers watched at once."""


class Latch:
    """Which source is listened to. ``source`` is None until one was taken."""

    def __init__(self) -> None:
        self.source: Address | None = None
        self._described: Address | None = None
        self._hosts: frozenset[str] = frozenset()
        self._until = float("-inf")
        self._expected = False
        self._strangers: dict[Address, tuple[int, int, int]] = {}

    def describe(
        self, address: Address | None, signalling: str | None, now: float, *, silent: bool
    ) -> None:
        """What the far end's newest description says, and which host its signalling comes from.

        The same address as before, and none (an old way to hold), change nothing unless the far end
        has been ``silent``: a description is repeated every few minutes.
        """
        if self._hosts and (address in (None, self._described)) and not silent:
            return
        if address is not None:
            self._described = address
        described = self._described
        self._hosts = frozenset(h for h in (described and described[0], signalling) if h)
        self._until = now + WINDOW
        self.source = None
        self._expected = False
        self._strangers.clear()

    def extend(self, now: float) -> None:
        """The call stands from now on: media that has not come yet may come now."""
        if self.source is None:
            self._until = now + WINDOW

    def proven(self, source: Address) -> None:
        """An authenticated packet came from there."""
        self.source = source

    def admits(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether to take an unencrypted packet from another source than ``self.source``.

        It must look like one of this call already. True means that ``source`` is the far end now.
        """
        if source[0] in self._hosts:
            taken = self._taken_from_host(source, now)
            self._expected = self._expected or taken
        else:
            taken = self._taken_from_stranger(source, ssrc, sequence, now)
        if taken:
            self.source = source
            self._strangers.clear()
        return taken

    def _taken_from_host(self, source: Address, now: float) -> bool:
        if self.source is None:
            return True
        return now < self._until and (not self._expected or source == self._described)

    def _taken_from_stranger(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        if self.source is not None or now >= self._until:
            return False
        row = (ssrc, sequence, 1)
        before = self._strangers.pop(source, None)
        if before is not None and before[:2] == (ssrc, (sequence - 1) & 0xFFFF):
            row = (ssrc, sequence, before[2] + 1)
        if len(self._strangers) >= MAX_STRANGERS:
            # The one that was silent longest; a new one may be the far end.
            del self._strangers[next(iter(self._strangers))]
        self._strangers[source] = row
        return row[2] >= PROBATION
