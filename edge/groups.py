"""What went wrong inside a task group."""

from __future__ import annotations


def first_error(error: BaseException) -> BaseException:
    """The first error inside nested groups, or the error itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
