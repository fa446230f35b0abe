"""Addresses for the demo, checked before anything starts."""

from __future__ import annotations

import contextlib
import random
import socket

HOST = "127.0.0.1"
CHOSEN = range(10_000, 20_000)
"""Where free ports are looked for: the demo's media ports begin above these."""


class PortBusy(Exception):
    """A port is taken; the text says which, and what to do."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports on loopback that are free for TCP and for UDP.

    They are below those that a kernel gives to whoever asks for any (IANA: from 49152, Linux: from
    32768): between this look and the program that listens there, nobody is given one by chance.
    Raises :class:`PortBusy`.
    """
    found: list[int] = []
    for port in random.sample(CHOSEN, len(CHOSEN)):
        with (
            contextlib.suppress(OSError),
            socket.socket() as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        ):
            stream.bind((HOST, port))
            datagrams.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise PortBusy(f"{HOST} has no {count} free ports of {CHOSEN.start} to {CHOSEN.stop - 1}")


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
