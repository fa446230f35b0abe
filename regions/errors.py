"""What can go wrong in this package. No retry helps: a file or a value has to be changed.

RegionsError
├── ConfigError   a file is not what its schema says; the text names file, line, key and cure
└── TagError      bytes that are not a residency tag of this version
"""

from __future__ import annotations


class RegionsError(Exception):
    """Anything this package refuses."""


class ConfigError(RegionsError):
    """A configuration file is wrong; ``str()`` is ready to be shown to an operator."""


class TagError(RegionsError):
    """These bytes are not a residency tag that this version can read."""
