"""What keeps a bundle from being made or read.

PolicyCommandError
└── UnusableInput   a file, a key or a number is not what was asked for; the text says which
"""

from __future__ import annotations


class PolicyCommandError(Exception):
    """Anything of this package."""


class UnusableInput(PolicyCommandError):
    """A file, a key or a number is not what was asked for."""
