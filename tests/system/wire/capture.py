"""tcpdump on one interface of a namespace, and how a test knows that it has seen everything."""

from __future__ import annotations

import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.machine.namespaces import Namespace
from tests.system.wire.flows import Flow, flows
from tests.system.wire.pcap import MARK, Frame, Packet, packets, read_frames

MOST_FRAMES = 200_000
"""At which a capture ends by itself: then its mark is missing, and the test fails."""
SECONDS = 20.0
"""What starting, ending and seeing a mark may take before it counts as a hang."""
BUFFER_KIB = 16_384
"""Packed: with --immediate-mode each frame, however short, would take the room of the longest."""


class CaptureFailed(Exception):
    """tcpdump did not start, has lost packets, or has ended too early."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What passed the interface from the beginning of the capture until a mark."""

    frames: list[Frame]
    packets: list[Packet]

    @property
    def flows(self) -> list[Flow]:
        return flows(self.packets)

    @property
    def bytes_left(self) -> int:
        """Of IPv4 packets that went out, headers included."""
        return sum(packet.size for packet in self.packets if packet.leaving)


class Capture:
    """A capture that runs. Whole frames, both directions, whatever the barriers do with them: a
    packet is seen before they refuse it on its way in, and after they have passed it on its way
    out."""

    def __init__(self, namespace: Namespace, interface: str, path: Path, own: bytes) -> None:
        self._namespace = namespace
        self._interface = interface
        self._path = path
        self._own = own

    def so_far(self) -> Captured:
        """Everything until now: a frame of a protocol of its own is sent over the interface, and
        awaited in the file. Raises ``CaptureFailed``."""
        nonce = secrets.token_bytes(16)
        self._namespace.call(lambda: self._send(nonce))
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            frames = read_frames(self._path)
            for index, frame in enumerate(frames):
                if frame.kind == MARK and frame.payload.startswith(nonce):
                    before = [one for one in frames[:index] if one.kind != MARK]
                    return Captured(before, list(packets(before, self._own)))
            time.sleep(0.02)  # another process writes the file, and tells nobody
        raise CaptureFailed(f"{self._path}: a mark did not come in {SECONDS:.0f} s")

    def _send(self, nonce: bytes) -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((self._interface, MARK))
            raw.send(b"\xff" * 6 + self._own + MARK.to_bytes(2) + nonce.ljust(46, b"\0"))


@contextmanager
def capture(namespace: Namespace, interface: str, path: Path) -> Iterator[Capture]:
    """Begin when tcpdump listens, end it, and see that the kernel dropped nothing of it."""
    address = Path("/sys/class/net", interface, "address")
    shown = subprocess.check_output(namespace.command("cat", str(address)), text=True)
    command = namespace.command(
        *("tcpdump", "-i", interface, "-nUZ", "root", "-s", "0"),
        *("-B", str(BUFFER_KIB), "-c", str(MOST_FRAMES), "-w", str(path)),
    )
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        heading = process.stderr.readline()
        if "listening on" not in heading:
            raise CaptureFailed(heading + process.stderr.read())
        yield Capture(namespace, interface, path, bytes.fromhex(shown.strip().replace(":", "")))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, told = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            _, told = process.communicate()
    if not re.search(r"^0 packets dropped by kernel$", told, re.MULTILINE):
        raise CaptureFailed(f"{path}: {told}")
