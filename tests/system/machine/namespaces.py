"""Network namespaces of a test's own: a region's side of the wire and a machine's."""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
"""setns(2)."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Namespace:
    """One that is there."""

    name: str

    @property
    def path(self) -> Path:
        return Path("/run/netns", self.name)

    def command(self, *arguments: str) -> list[str]:
        """A command that runs in it."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def thread(self, work: Callable[[], None]) -> threading.Thread:
        """A started thread whose sockets, and those of threads that it starts, are in it."""

        def within() -> None:
            self._enter()
            work()

        thread = threading.Thread(target=within, name=f"in {self.name}", daemon=True)
        thread.start()
        return thread

    def call(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises when it runs in the namespace."""
        answers: list[T] = []
        errors: list[BaseException] = []

        def keep() -> None:
            try:
                answers.append(work())
            except BaseException as error:
                errors.append(error)

        self.thread(keep).join()
        if errors:
            raise errors[0]
        return answers[0]

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        handle = os.open(self.path, os.O_RDONLY)
        try:
            if libc.setns(handle, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
        finally:
            os.close(handle)


@contextmanager
def cable(
    near: tuple[str, ...], far: tuple[str, ...], gateway: str
) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces and a cable between them, with these addresses (``10.20.0.1/24``).

    The far one sends everything to ``gateway``. Neither leads anywhere else.
    """
    stem = f"inland{secrets.token_hex(4)}"
    with ExitStack() as cleaning:
        ends = []
        for side in ("n", "f"):
            _ip("netns", "add", stem + side)
            cleaning.callback(_ip, "netns", "delete", stem + side)
            ends.append(Namespace(stem + side))
        one, other = ends
        _ip(
            *("link", "add", "eth0", "netns", one.name, "type", "veth"),
            *("peer", "name", "eth0", "netns", other.name),
        )
        for end, addresses in ((one, near), (other, far)):
            for address in addresses:
                _ip("-n", end.name, "address", "add", address, "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", end.name, "link", "set", link, "up")
        _ip("-n", other.name, "route", "add", "default", "via", gateway)
        yield one, other


def translate(network: Namespace, outside: str, inside: str) -> None:
    """What ``network`` sends to ``outside`` reaches ``inside``: EC2's public addresses."""
    _ip("-n", network.name, "route", "add", f"{outside}/32", "dev", "eth0")
    rules = [
        *("table ip addresses {", "chain sent {", "type nat hook output priority -100"),
        *(f"ip daddr {outside} dnat to {inside}", "}", "}", ""),
    ]
    command = network.command("nft", "--file", "-")
    subprocess.run(command, input="\n".join(rules).encode(), check=True, timeout=30)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
