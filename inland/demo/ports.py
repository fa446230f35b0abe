"""Addresses for the demo, checked before anything starts."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


class PortBusy(Exception):
    """A port is taken; the text says which, and what to do."""


def free_ports(count: int) -> list[int]:
    """``count`` different free TCP ports on loopback."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def check_ports(wanted: dict[str, int]) -> None:
    """Raise :class:`PortBusy` when one of the named ports cannot be listened on."""
    for name, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except (OSError, OverflowError) as error:
                raise PortBusy(
                    f"{HOST}:{port}, meant for {name}, cannot be used ({error}); end the program "
                    "that holds it, choose others with --port, --control-port and --edge-port, "
                    "or let the demo choose with --free-ports"
                ) from error
