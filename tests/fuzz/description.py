"""Targets over SDP: any body is answered or refused with ``OfferError``; an answer of ours is one
that we can read, with as many media lines as the offer and one of them taken."""

from __future__ import annotations

from collections.abc import Callable

from edge.transport.sip.media.agreement import LocalMedia, MediaPolicy
from edge.transport.sip.media.crypto_attribute import parse_crypto
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.negotiate import accept, answer, offer
from edge.transport.sip.media.sdp import parse

POLICIES = (MediaPolicy(), MediaPolicy(srtp="off", prefer="ours"), MediaPolicy(srtp="required"))


def offered(data: bytes) -> None:
    """An offer of theirs, under each policy."""
    for policy in POLICIES:
        try:
            reply, agreed = answer(data, _local(), policy)
        except OfferError:
            continue
        sections = parse(reply).sections
        assert len(sections) == len(parse(data).sections)
        assert [bool(section.port) for section in sections].count(True) == 1
        assert agreed.codec.payload_type in agreed.receive_types
        assert agreed.codec.name in policy.codecs
        assert (policy.srtp, agreed.crypto is None) not in (("off", False), ("required", True))
        assert len(offer(_local(), policy, "sendonly", agreed)[0]) < len(data) + 2_000


def answered(data: bytes) -> None:
    """An answer of theirs to what we offer under each policy."""
    for policy in POLICIES:
        _, state = offer(_local(), policy)
        try:
            agreed = accept(state, data)
        except OfferError:
            continue
        assert agreed.codec.name in policy.codecs
        assert (policy.srtp, agreed.crypto is None) not in (("off", False), ("required", True))


def crypto(data: bytes) -> None:
    """A key line is nothing, or one that is written so that it is read the same again."""
    line = parse_crypto(data.decode("utf-8", "replace"))
    assert line is None or parse_crypto(str(line)) == line


def _local() -> LocalMedia:
    return LocalMedia("192.0.2.1", 40_000, 40_001, session_id=1)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "offered": offered,
    "answered": answered,
    "crypto": crypto,
}
