"""What keeps receipts from being read at all.

ReceiptError
└── UnusableInput   a file, an address or an answer is not what was asked for; the text says which
"""

from __future__ import annotations


class ReceiptError(Exception):
    """Anything of this package."""


class UnusableInput(ReceiptError):
    """A file, an address or an answer is not what was asked for."""
