"""Memory that the allocator keeps although nobody uses it."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return free heap pages to the system (``malloc_trim(3)``, glibc; elsewhere nothing).

    The decoders of a burst of callers leave hundreds of megabytes of free pages behind, which glibc
    does not return by itself. Takes some milliseconds: for a worker without calls.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
