"""Keys that come in the body of an INFO, as older equipment sends them.

Neither form is a standard: ``application/dtmf-relay`` is Cisco's (``Signal=5``, ``Duration=160``),
``application/dtmf`` has the key alone.
"""

from __future__ import annotations

MAX_BODY = 256
_KEYS = frozenset("0123456789*#ABCD")
_NAMED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
"""Events by their number (RFC 4733 section 3.2), which some senders write for the odd keys."""


def digit_of_info(content_type: str, body: bytes) -> str | None:
    """The key that was pressed, or None when the body says nothing of one."""
    if content_type not in ("application/dtmf-relay", "application/dtmf") or len(body) > MAX_BODY:
        return None
    text = body.decode("ascii", "replace")
    if content_type == "application/dtmf":
        return _key(text)
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip().lower() == "signal":
            return _key(value)
    return None


def _key(text: str) -> str | None:
    key = text.strip().upper()
    key = _NAMED.get(key, key)
    return key if key in _KEYS else None
