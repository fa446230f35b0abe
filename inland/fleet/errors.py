"""What can go wrong on a machine of a stack.

FleetError
├── Unusable        the document, the site, a secret or the machine cannot be right: mend it
├── MetadataAway    the instance metadata do not answer; asking again may help
└── AwsError        the AWS API refused or did not answer; asking again may help
"""

from __future__ import annotations


class FleetError(Exception):
    """Anything that ends a command, or is tried again."""


class Unusable(FleetError):
    """Trying again changes nothing. The text says what to mend, and holds no secret."""


class MetadataAway(FleetError):
    """The instance metadata service did not answer as it should."""


class AwsError(FleetError):
    """``code`` is the API's own error code, or the name of what failed before it answered."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
