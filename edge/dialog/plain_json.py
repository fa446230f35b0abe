"""JSON from outside, as RFC 8259 has it: no NaN, no infinities, no bottomless nesting."""

from __future__ import annotations

import json
import math

from edge.events import JsonValue


def parse_json(raw: str | bytes | bytearray) -> JsonValue:
    """The value of ``raw``. Raises ``ValueError`` for anything else."""
    try:
        found: JsonValue = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number
