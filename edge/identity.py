"""Who and where a call is, and what lets its caller come back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """Who and where a call is; nothing of the caller."""

    call_id: str
    session_id: str
    tenant: str
    agent: str
    language: str
    region: str
    node: str
    jurisdictions: tuple[str, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class ResumeGrant:
    """What lets the caller come back."""

    token: str
    expires_at: int
