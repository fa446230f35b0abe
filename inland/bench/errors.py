"""Why a bench could not measure. Missing a target is a result, never an error.

::

    BenchError          the text says what failed; a retry may help when the machine was too busy
"""

from __future__ import annotations


class BenchError(Exception):
    """Nothing could be measured."""
