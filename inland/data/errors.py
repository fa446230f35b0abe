"""What keeps an operator from a session's data.

DataError
├── Unusable     settings, a file or a service is not as it has to be; the text says which
└── NotTheirs    the session is another tenant's
"""

from __future__ import annotations


class DataError(Exception):
    """Anything of this package."""


class Unusable(DataError):
    """Settings, a file or a service is not as it has to be."""


class NotTheirs(DataError):
    """The session is another tenant's."""
