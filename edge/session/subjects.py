"""Whom a session is about, as far as the store is told: keyed hashes, and nothing that can be read.

Erasing and exporting what is kept of a person takes a way from the person to their sessions. A
telephone number's plain hash would be as good as the number, for there are few enough to try them
all; this one takes a key of the region, which no store and no backup of it has.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from edge.events import JsonValue

SUBJECT_PURPOSE = "subject"
"""The region's subkey for the index (``LocalKeyFile.subkey``)."""
HASH_BYTES = 16
"""Of 32: enough that two subjects of a region never meet, and of no use beyond that."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One value that tells a person: ``kind`` is ``phone`` or a slot's id, ``value`` normalised."""

    kind: str
    value: str = field(repr=False)


class SubjectIndex:
    """Names subjects to the store. ``secret`` is 32 bytes of the region's key file."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def name(self, tenant: str, subject: Subject) -> str:
        """32 hex digits: HMAC-SHA-256 (RFC 2104), cut; the same for one tenant and region alone."""
        # Neither a tenant's id nor a kind can hold the separator.
        message = f"{tenant}\0{subject.kind}\0{subject.value}".encode()
        return hmac.digest(self._secret, message, sha256)[:HASH_BYTES].hex()


def _nobody(state: JsonValue) -> Iterable[Subject]:
    return ()


@dataclass(frozen=True, slots=True)
class Marker:
    """Whom one call is about: who is on the line, and what the dialog's state says of them."""

    index: SubjectIndex
    tenant: str
    of_line: tuple[Subject, ...] = ()
    of_state: Callable[[JsonValue], Iterable[Subject]] = _nobody

    def names(self, state: JsonValue = None) -> tuple[str, ...]:
        """What the store is told, the line first."""
        found = (*self.of_line, *self.of_state(state))
        return tuple(dict.fromkeys(self.index.name(self.tenant, each) for each in found))
