"""What can be wrong with a message.

::

    MessageError          not a SIP message, or one that breaks the grammar; nobody should retry it
    ├── MessageTooLarge   longer, or with more or longer headers, than is read
    └── StreamBroken      nobody can say where the next message of the connection begins: close it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.transport.sip.wire.message import Headers


class MessageError(ValueError):
    """A message that cannot be used.

    ``status`` is what a server answers to such a request. ``headers`` are those that could be read
    when it was a request other than ACK whose Vias can be read, so that an answer finds its way;
    any other header may be missing or malformed. None for all else: then it is dropped.
    """

    def __init__(self, detail: str, status: int = 400, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.headers = headers


class MessageTooLarge(MessageError):
    """Beyond a bound of :mod:`edge.transport.sip.wire.message`."""

    def __init__(self, detail: str, status: int = 513, headers: Headers | None = None) -> None:
        super().__init__(detail, status, headers)


class StreamBroken(MessageError):
    """A stream whose next message cannot be found: answer if ``headers`` allow it, then close."""
