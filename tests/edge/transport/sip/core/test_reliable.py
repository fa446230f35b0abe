"""Provisional answers that arrive for sure (RFC 3262)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.transport.sip.core.events import Answered, Confirmed, Ended, Progress
from edge.transport.sip.wire.message import Headers, Request
from tests.edge.transport.sip.core.duo import ANSWER, BOB, HELD, HOLD, OFFER, Duo, Owner, wire
from tests.fakes.sip_net import describe

HAND = ("192.0.2.9", 5060)
SDP = ("content-type", "application/sdp")


def test_early_media_is_sent_until_its_prack_comes() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    heals = duo.net.clock.monotonic() + 3.0
    duo.net.drop = lambda sent: describe(sent.message) == "183 INVITE" and sent.at < heals

    ours = duo.alice.invite(duo.bob)
    duo.net.run(5.0)

    # The INVITE's own retransmissions are answered by copies at the same times.
    sent = sorted({sent.at for sent in duo.net.sent if describe(sent.message) == "183 INVITE"})
    pauses = [round(b - a, 3) for a, b in pairwise(sent)]
    assert pauses == [0.5, 1.0, 2.0]
    assert ours.one(Progress).sdp == ANSWER
    first = next(s.message for s in duo.net.sent if describe(s.message) == "183 INVITE")
    prack = next(s.message for s in duo.net.sent if describe(s.message) == "PRACK")
    assert prack.headers.get("rack") == f"{first.headers.get('rseq')} {first.cseq}"
    ours.session.cancel()
    duo.finish()


def test_a_200_waits_for_the_prack_and_brings_no_second_answer() -> None:
    duo = Duo()

    def behave(owner: Owner) -> None:
        owner.session.ring(183, ANSWER)
        owner.session.accept(ANSWER)

    duo.bob.behave = behave
    losses = iter([True])
    duo.net.drop = lambda sent: describe(sent.message) == "PRACK" and next(losses, False)
    ours = duo.alice.invite(duo.bob)
    duo.net.run(0.3)
    assert "200 INVITE" not in duo.net.messages()
    duo.net.run(2.0)

    assert ours.one(Answered).sdp == ANSWER
    accepted = next(s.message for s in duo.net.sent if describe(s.message) == "200 INVITE")
    assert accepted.body == b""
    assert duo.bob.calls[0].all(Confirmed)
    ours.session.bye()
    duo.finish()


def test_reliable_answers_follow_one_another() -> None:
    duo = Duo()

    def behave(owner: Owner) -> None:
        owner.session.ring(183, ANSWER)
        owner.session.ring(180)

    duo.bob.behave = behave
    ours = duo.alice.invite(duo.bob, headers=[("require", "100rel")])
    duo.net.run(1.0)

    assert [event.status for event in ours.all(Progress)] == [183, 180]
    reliable = [s.message for s in duo.net.sent if s.message.headers.get("rseq")]
    numbers = [int(message.headers.get("rseq") or 0) for message in reliable]
    assert numbers == [numbers[0], numbers[0] + 1]
    assert duo.net.messages()[1:4] == ["183 INVITE", "PRACK", "180 INVITE"]
    ours.session.cancel()
    duo.finish()


def test_without_a_prack_for_64_t1_the_invite_is_refused() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    duo.net.drop = lambda sent: describe(sent.message) == "PRACK"

    ours = duo.alice.invite(duo.bob)
    duo.finish()

    assert duo.bob.calls[0].end == Ended("no_ack")
    assert ours.end is not None and ours.end.status == 504


@pytest.mark.parametrize("required", [True, False])
def test_a_ring_is_reliable_only_when_that_is_required(required: bool) -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(180)
    headers = [("require", "100rel")] if required else []
    ours = duo.alice.invite(duo.bob, headers=headers)
    duo.net.run(1.0)

    assert ("PRACK" in duo.net.messages()) is required
    ours.session.cancel()
    duo.finish()


def test_a_far_end_without_the_extension_gets_no_reliable_answer() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    duo.net.inject(HAND, BOB, wire("INVITE", headers=[SDP], body=OFFER))
    duo.net.run(5.0)

    early = [s.message for s in duo.net.sent if describe(s.message) == "183 INVITE"]
    assert len(early) == 1 and early[0].body == ANSWER
    assert early[0].headers.get("rseq") is None
    duo.bob.calls[0].session.reject(486)
    duo.finish()


def test_a_late_offer_is_not_given_before_the_200() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    headers = [("require", "100rel")]
    duo.net.inject(HAND, BOB, wire("INVITE", headers=headers))
    duo.net.run(5.0)

    assert duo.net.messages(BOB) == ["100 INVITE"]
    duo.bob.calls[0].session.reject(486)
    duo.finish()


def prack(rack: str, tag: str, cseq: int, body: bytes = b"") -> bytes:
    headers = [("rack", rack), *([SDP] if body else [])]
    return wire(
        "PRACK",
        headers=headers,
        body=body,
        cseq=cseq,
        branch=f"z9hG4bKp{cseq}",
        to=f"<sip:b@x>;tag={tag}",
    )


def test_a_prack_for_nothing_is_refused_and_one_that_crossed_the_200_is_not() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(180)
    duo.net.inject(HAND, BOB, wire("INVITE", headers=[SDP, ("require", "100rel")], body=OFFER))
    duo.net.run(0.1)
    ringing = next(s.message for s in duo.net.sent if describe(s.message) == "180 INVITE")
    number = int(ringing.headers.get("rseq") or 0)

    for cseq, rack in enumerate([f"{number + 1} 1 INVITE", f"{number} 2 INVITE", "x"], 2):
        duo.net.inject(HAND, BOB, prack(rack, ringing.to.tag, cseq))
    duo.net.run(0.1)
    assert duo.net.messages(BOB).count("481 PRACK") == 3

    duo.bob.calls[0].session.accept(ANSWER)
    duo.net.inject(HAND, BOB, prack(f"{number} 1 INVITE", ringing.to.tag, 9))
    duo.net.inject(HAND, BOB, prack(f"{number} 1 INVITE", ringing.to.tag, 10))
    duo.net.run(0.1)
    assert duo.net.messages(BOB)[-2:] == ["200 PRACK", "481 PRACK"]
    duo.finish()


def test_a_prack_may_carry_an_offer() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    duo.net.inject(HAND, BOB, wire("INVITE", headers=[SDP, ("supported", "100rel")], body=OFFER))
    duo.net.run(0.1)
    theirs = duo.bob.calls[0]
    theirs.react = lambda event: theirs.session.answer(HELD)
    early = next(s.message for s in duo.net.sent if describe(s.message) == "183 INVITE")

    rack = f"{early.headers.get('rseq')} 1 INVITE"
    duo.net.inject(HAND, BOB, prack(rack, early.to.tag, 2, HOLD))
    duo.net.run(0.1)

    answer = next(s.message for s in duo.net.sent if describe(s.message) == "200 PRACK")
    assert answer.body == HELD
    assert theirs.session.sdp == HOLD
    theirs.session.reject(486)
    duo.finish()


def test_an_invite_without_an_offer_asks_for_no_reliable_answers() -> None:
    duo = Duo()
    ours = duo.alice.invite(duo.bob, sdp=None)
    invite = duo.net.sent[0].message
    assert isinstance(invite, Request)
    assert "100rel" not in Headers(invite.headers).tokens("supported")
    ours.session.end()
    duo.finish()
