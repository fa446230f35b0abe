"""What can go wrong with a WebRTC leg.

::

    WebRtcError
    ├── OfferError              the offer cannot be answered; the same one never will be
    ├── IceRestartUnsupported   the client must offer anew
    ├── PortInUse               another process has the UDP port; retry once it is gone
    └── IncompatibleLibrary     aiortc or aioice is not the version this was written for

A far end that never gets through raises ``edge.leg.LegError``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

OfferCode: TypeAlias = Literal["bad_sdp", "no_common_codec"]


class WebRtcError(Exception):
    """The WebRTC transport could not do what was asked."""


class OfferError(WebRtcError):
    """An SDP that cannot be used. ``code`` is the wire code, ``detail`` is for people."""

    def __init__(self, code: OfferCode, detail: str) -> None:
        super().__init__(detail)
        self.code: OfferCode = code
        self.detail = detail


class IceRestartUnsupported(WebRtcError):
    """The client changed its ICE credentials."""


class PortInUse(WebRtcError):
    """The UDP port cannot be bound."""


class IncompatibleLibrary(WebRtcError):
    """A library lacks something that is used here."""
