"""What the sockets can say no with.

::

    NetError
    ├── BindError      an address or port cannot be listened on; retry once it is free
    ├── TlsFilesError  a certificate, key or CA cannot be used; the same files never will be
    └── Unreachable    a far end cannot be reached now; ``code`` says why, a retry may help
"""

from __future__ import annotations

from typing import Literal, TypeAlias

ReachCode: TypeAlias = Literal[
    "no_such_name",
    "dns_failed",
    "no_socket",
    "refused",
    "timeout",
    "no_route",
    "certificate",
    "tls_failed",
    "full",
]
"""Why a far end cannot be reached: its name is not in DNS, DNS does not answer, we do not speak its
transport or address family, it refuses the connection or does not answer, there is no route to it,
its certificate is not what was asked for, TLS failed otherwise, or we hold too many already."""


class NetError(Exception):
    """The sockets could not do what was asked."""


class BindError(NetError):
    """The text names the transport, address and port, and the reason."""


class TlsFilesError(NetError):
    """The text names the file and what is wrong with it."""


class Unreachable(NetError):
    """``detail`` is for people."""

    def __init__(self, code: ReachCode, detail: str) -> None:
        super().__init__(detail)
        self.code: ReachCode = code
        self.detail = detail
