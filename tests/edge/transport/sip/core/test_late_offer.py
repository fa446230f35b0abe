"""Offers that come with the 200 (RFC 3261 section 13.2.1)."""

from __future__ import annotations

from edge.transport.sip.core.events import Answered, Confirmed, Ended
from tests.edge.transport.sip.core.duo import (
    ALICE,
    ANSWER,
    OFFER,
    Duo,
)


def test_an_invite_without_an_offer_is_answered_with_one() -> None:
    duo = Duo()
    ours = duo.alice.invite(duo.bob, sdp=None)
    duo.net.run(1.0)
    theirs = duo.bob.calls[0]
    assert theirs.session.sdp is None
    assert ours.one(Answered).sdp == ANSWER
    assert theirs.session.state == "accepted", "the ACK waits for our answer"

    ours.session.acknowledge(OFFER)
    duo.net.run(10.0)
    assert theirs.one(Confirmed).sdp == OFFER

    ours.session.bye()
    duo.finish()


def test_a_late_offer_that_is_not_answered_ends_the_call() -> None:
    duo = Duo()
    ours = duo.alice.invite(duo.bob, sdp=None)

    duo.finish()

    assert ours.end == Ended("failed")
    assert duo.bob.calls[0].end is not None
    assert "BYE" in duo.net.messages()


def test_an_ack_without_the_answer_that_it_owes_ends_the_call() -> None:
    duo = Duo()
    ours = duo.alice.invite(duo.bob, sdp=None)
    duo.net.run(0.3)

    ours.session.bye()
    duo.finish()

    assert duo.net.messages(ALICE)[:3] == ["INVITE", "ACK", "BYE"]
    assert duo.bob.calls[0].end is not None
    assert duo.bob.calls[0].all(Confirmed) == []


def test_an_answer_without_a_description_fails_the_call() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.accept(b"")
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    assert ours.end == Ended("failed")
    assert duo.bob.calls[0].end is not None
    assert duo.bob.calls[0].end.cause == "remote_bye"
