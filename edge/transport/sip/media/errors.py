"""Why a session description is refused.

::

    OfferError    an offer, or an answer to ours, that cannot be taken
"""

from __future__ import annotations

from typing import Literal, TypeAlias

OfferProblem: TypeAlias = Literal["bad_sdp", "no_common_codec", "srtp_required"]
"""``bad_sdp``: not a description that can be read, a 400. ``no_common_codec``: no audio stream that
both sides could speak, a 488. ``srtp_required``: policy wants encryption and there is none, a 488.
"""


class OfferError(ValueError):
    """The same offer will be refused again; ``detail`` quotes nothing of it."""

    def __init__(self, code: OfferProblem, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
