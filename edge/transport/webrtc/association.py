"""aiortc's DTLS and SCTP, with bounds on what a far end can make them hold and do.

What is bounded where, per call:

- DTLS records: their rate by ``peer.py`` before decryption, those that wait by ``ice.py``, and what
  OpenSSL keeps of a datagram by :class:`Dtls`. A renegotiation is a handful of records, so the same
  rate bounds it.
- SCTP: bytes by the receive window, chunks, streams, channels and their number over the call's
  life by :class:`Sctp`, which also pays each chunk from a budget.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from aiortc import RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import Chunk, SackChunk
from OpenSSL import SSL

from edge.clock import Clock
from edge.transport.rtp.budget import Budget

MAX_CHANNELS = 16
"""Data channels and SCTP streams of one peer at a time."""

MAX_OPENED = 64
"""Data channels of one peer in its life: each open is answered, and the answers may pile up."""

MAX_HELD_CHUNKS = 256
"""Chunks that wait for an earlier one or for the rest of their message. aiortc walks through all
of them for each chunk that arrives, and the receive window does not count empty or tiny ones."""

MAX_GAP = 1024
"""TSNs that the gap blocks of one SACK may cover; aiortc makes a set of them, and one packet can
name nineteen million."""

CHUNKS_PER_SECOND = 500
CHUNK_BURST = 1000
"""SCTP chunks handled. Twenty events a second of 16 KiB are 280; one packet can hold seventy."""

_DATA_CHANNEL_CONTROL = 50
_DATA_CHANNEL_OPEN = 3


class Dtls(RTCDtlsTransport):
    """aiortc's DTLS, quiet once it is closed, and reading all that arrived."""

    async def _send_data(self, data: bytes) -> None:
        # SCTP's timers send from tasks that nobody awaits; an error there would only reach the log.
        with contextlib.suppress(ConnectionError, SSL.Error):
            await super()._send_data(data)

    async def _recv_next(self) -> None:
        await super()._recv_next()
        if self.encrypted and self._ssl is not None:
            await self._drain(self._ssl)

    async def _drain(self, ssl: SSL.Connection) -> None:
        """Read the further records of a datagram, of which aiortc reads one.

        The rest would stay in OpenSSL's buffer for good, and grow with each such datagram.
        """
        while True:
            try:
                data = ssl.recv(1500)
            except SSL.ZeroReturnError:
                raise ConnectionError from None
            except SSL.Error:
                return
            if not data:
                return
            if self._data_receiver is not None:
                await self._data_receiver._handle_data(data)


class Sctp(RTCSctpTransport):
    """aiortc's SCTP: bad packets are dropped, a flood calls ``on_flood`` and ends the association.

    ``on_heard`` is called for each packet, ``on_closed`` once when an established association ends.
    """

    def __init__(
        self,
        transport: RTCDtlsTransport,
        clock: Clock,
        *,
        on_heard: Callable[[], None],
        on_closed: Callable[[], None],
        on_flood: Callable[[], None],
    ) -> None:
        super().__init__(transport)
        self._clock = clock
        self._on_heard = on_heard
        self._on_closed = on_closed
        self._on_flood = on_flood
        self._established = False
        self._opened = 0
        self._chunks = Budget(CHUNKS_PER_SECOND, CHUNK_BURST)

    async def _handle_data(self, data: bytes) -> None:
        self._on_heard()
        try:
            await super()._handle_data(data)
        except Exception:
            # aiortc asserts what a peer must not send. The peer is authenticated, so it harms only
            # itself; its call must not die of it, and neither may the DTLS reader. The duplicates
            # would have been forgotten by the SACK that was not sent.
            self._sack_duplicates.clear()
        if self._flooded():
            self._on_flood()
            await self.stop()

    def _flooded(self) -> bool:
        held = sum(len(stream.reassembly) for stream in self._inbound_streams.values())
        return (
            self._chunks.flooded
            or self._advertised_rwnd < 0
            or self._opened > MAX_OPENED
            or len(self._data_channels) > MAX_CHANNELS
            or len(self._inbound_streams) > MAX_CHANNELS
            or len(self._sack_misordered) > MAX_HELD_CHUNKS
            or held > MAX_HELD_CHUNKS
        )

    async def _receive_chunk(self, chunk: Chunk) -> None:
        # A refused chunk is lost on the way, as far as SCTP knows.
        if self._chunks.take(1, self._clock.monotonic()):
            await super()._receive_chunk(chunk)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        if sum(max(0, end - start + 1) for start, end in chunk.gaps) > MAX_GAP:
            chunk.gaps = []
        await super()._receive_sack_chunk(chunk)

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id == _DATA_CHANNEL_CONTROL and data[:1] == bytes([_DATA_CHANNEL_OPEN]):
            self._opened += 1
        await super()._data_channel_receive(stream_id, pp_id, data)

    async def _abort(self) -> None:
        # A goodbye that cannot be sent must not keep the timers from being stopped.
        with contextlib.suppress(Exception):
            await super()._abort()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state == self.State.ESTABLISHED:
            self._established = True
        elif state == self.State.CLOSED and self._established:
            self._established = False
            self._on_closed()
