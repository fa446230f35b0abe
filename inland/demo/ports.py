"""Addresses for the demo, checked before anything starts."""

from __future__ import annotations

import contextlib
import socket

HOST = "127.0.0.1"


class PortBusy(Exception):
    """A port is taken; the text says which, and what to do."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports on loopback that are free for TCP and for UDP."""
    found: dict[int, tuple[socket.socket, socket.socket]] = {}
    try:
        while len(found) < count:
            stream, datagram = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
            stream.bind((HOST, 0))
            port = stream.getsockname()[1]
            found[port] = stream, datagram
            with contextlib.suppress(OSError):
                datagram.bind((HOST, port))
                continue
            for each in found.pop(port):
                each.close()
        return list(found)
    finally:
        for pair in found.values():
            for each in pair:
                each.close()


def check_ports(wanted: dict[str, int]) -> None:
    """Raise :class:`PortBusy` when one of the named ports cannot be listened on."""
    for name, port in wanted.items():
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                datagrams.bind((HOST, port))
            except (OSError, OverflowError) as error:
                raise PortBusy(
                    f"{HOST}:{port}, meant for {name}, cannot be used ({error}); end the program "
                    "that holds it, choose others with --port, --control-port, --edge-port and "
                    "--sip-port, or let the demo choose with --free-ports"
                ) from error
