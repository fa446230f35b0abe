"""A UDP relay that loses, repeats and reorders the caller's audio by a seed."""

from __future__ import annotations

import asyncio
import random
import socket

from edge.transport.webrtc.udpmux import Address

HOST = "127.0.0.1"


class Relay:
    """Sits between one caller and the edge. Only RTP on its way to the edge is harmed.

    ``move`` changes the address that the edge sees, as a NAT does that forgot its mapping.
    """

    def __init__(self, edge: Address, *, seed: int = 1) -> None:
        self.loss = 0.0
        self.repeat = 0.0
        self.swap = 0.0
        self.lost = 0
        self.cut = False
        self._edge = edge
        self._rng = random.Random(seed)
        self._caller: Address | None = None
        self._held: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._near = self._open(self._from_caller)
        self._far = self._open(self._from_edge)

    @property
    def port(self) -> int:
        return int(self._near.getsockname()[1])

    def move(self) -> None:
        self._shut(self._far)
        self._far = self._open(self._from_edge)

    def close(self) -> None:
        self._shut(self._near)
        self._shut(self._far)

    def _open(self, reader: object) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((HOST, 0))
        self._loop.add_reader(opened, reader)  # type: ignore[arg-type]
        return opened

    def _shut(self, one: socket.socket) -> None:
        self._loop.remove_reader(one)
        one.close()

    def _from_caller(self) -> None:
        data, self._caller = self._near.recvfrom(2048)
        if self.cut:
            return
        if not 128 <= data[0] < 192 or 192 <= data[1] < 224:
            self._far.sendto(data, self._edge)
            return
        if self._rng.random() < self.loss:
            self.lost += 1
            return
        if self._held is None and self._rng.random() < self.swap:
            self._held = data
            return
        self._far.sendto(data, self._edge)
        if self._rng.random() < self.repeat:
            self._far.sendto(data, self._edge)
        if self._held is not None:
            self._far.sendto(self._held, self._edge)
            self._held = None

    def _from_edge(self) -> None:
        data = self._far.recv(2048)
        if self._caller is not None and not self.cut:
            self._near.sendto(data, self._caller)
