"""A call from its INVITE to its BYE."""

from __future__ import annotations

from edge.transport.sip.core.events import Answered, Confirmed, Ended, Progress
from tests.edge.transport.sip.core.duo import ALICE, ANSWER, BOB, OFFER, Duo


def test_a_call_is_made_answered_and_ended_by_the_caller() -> None:
    duo = Duo()

    ours, theirs = duo.established()
    assert theirs.session.sdp == OFFER
    ours.session.bye()
    duo.finish()

    assert [type(event) for event in ours.events] == [Progress, Answered, Ended]
    assert [type(event) for event in theirs.events] == [Confirmed, Ended]
    assert ours.one(Answered).sdp == ANSWER
    assert ours.end == Ended("local_bye")
    assert theirs.end is not None and theirs.end.cause == "remote_bye"
    assert duo.net.messages(ALICE) == ["INVITE", "ACK", "BYE"]
    assert duo.net.messages(BOB) == ["180 INVITE", "200 INVITE", "200 BYE"]
