"""What can go wrong in the dialog.

::

    DialogError
    ├── ToolError                  a tool gave no usable answer
    │   ├── ToolTimeoutError       no answer in time; it may have happened      retry: same key
    │   ├── ToolUnreachableError   the connection failed; it may have happened  retry: same key
    │   ├── ToolRefusedError       the service says no to these arguments       no retry
    │   ├── ToolConflictError      the service offers something else instead    no retry
    │   └── ToolGarbledError       the answer is too big or not JSON            no retry
    └── ModelError                 a language model gave no usable answer
        ├── ModelTimeoutError      no first token, or no end, in time           retry
        ├── ModelUnreachableError  the connection failed or broke off           retry
        ├── ModelOverloadedError   429 or 5xx                                   retry, later
        ├── ModelRefusedError      the request or the key was not accepted      no retry
        └── ModelGarbledError      the stream is not what the protocol says     no retry

An agent file with an error is a ``regions.errors.ConfigError``; an endpoint outside the allowed
regions is an ``edge.outbound.OutboundRefused``. Neither is helped by a retry.
"""

from __future__ import annotations

from typing import ClassVar

from edge.events import JsonValue


class DialogError(Exception):
    """The root. ``retry`` tells whether the same request can succeed later."""

    retry: ClassVar[bool] = False


class ToolError(DialogError):
    """A tool gave no usable answer. ``code`` is stable; ``body`` is what the service said."""

    code: ClassVar[str] = "failed"

    def __init__(self, message: str, body: JsonValue = None) -> None:
        super().__init__(message)
        self.body = body


class ToolTimeoutError(ToolError):
    """No answer in time; the action may have happened."""

    code = "timeout"
    retry = True


class ToolUnreachableError(ToolError):
    """The connection failed, or the service is down; the action may have happened."""

    code = "unreachable"
    retry = True


class ToolRefusedError(ToolError):
    """The service does not accept these arguments (4xx), or residency forbids the call."""

    code = "refused"


class ToolConflictError(ToolError):
    """409: the service cannot do this, and ``body`` may name alternatives."""

    code = "conflict"


class ToolGarbledError(ToolError):
    """The answer is too big, not JSON, or the tool itself broke."""

    code = "garbled"


class ModelError(DialogError):
    """A language model gave no usable answer."""


class ModelTimeoutError(ModelError):
    """No first token, or no end of the answer, in time."""

    retry = True


class ModelUnreachableError(ModelError):
    """The connection failed or broke off."""

    retry = True


class ModelOverloadedError(ModelError):
    """429 or 5xx. ``after`` is the provider's Retry-After in seconds, or None."""

    retry = True

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class ModelRefusedError(ModelError):
    """The request or the key was not accepted."""


class ModelGarbledError(ModelError):
    """The stream is not what the protocol says."""
