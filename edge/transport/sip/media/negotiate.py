"""Offer and answer (RFC 3264) for one audio stream."""

from __future__ import annotations

from edge.transport.sip.media.agreement import Agreed, CryptoPair, LocalMedia, MediaPolicy
from edge.transport.sip.media.errors import OfferError

__all__ = ["Agreed", "CryptoPair", "LocalMedia", "MediaPolicy", "OfferError"]
