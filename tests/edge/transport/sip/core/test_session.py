"""Making and ending calls: ACKs that get lost, CANCELs that cross, late offers, forks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.transport.sip.core.agent import TooManySessions
from edge.transport.sip.core.events import Answered, Confirmed, Ended, Progress
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.core.duo import (
    ALICE,
    ANSWER,
    BOB,
    OFFER,
    Agent,
    Duo,
    Owner,
    accepts,
    wire,
)
from tests.fakes.sip_net import SipNet, describe

HAND = ("192.0.2.9", 5060)


def lose(duo: Duo, *whats: str) -> None:
    """Let nothing of these kinds arrive."""
    duo.net.drop = lambda sent: describe(sent.message) in whats


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


def test_a_call_is_ended_by_the_called_party_with_its_reason() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    theirs.session.bye([("reason", "Q.850;cause=16")])
    duo.finish()

    assert ours.end is not None and ours.end.cause == "remote_bye"
    assert ours.end.headers is not None
    assert ours.end.headers.get("reason") == "Q.850;cause=16"
    assert theirs.end == Ended("local_bye")


def test_byes_that_cross_are_both_answered() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    ours.session.bye()
    theirs.session.bye()
    duo.finish()

    assert duo.net.messages().count("200 BYE") == 2
    assert ours.end == theirs.end == Ended("local_bye")


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_call_lives_on_the_stream_that_it_came_by(transport: str) -> None:
    duo = Duo()
    ours, theirs = duo.established(transport=transport)

    theirs.session.bye()
    duo.finish()

    assert len(duo.bob.node.connections) == 1
    assert ours.end is not None and ours.end.cause == "remote_bye"


def test_a_call_goes_on_over_a_new_stream_when_the_old_one_broke() -> None:
    duo = Duo()
    ours, theirs = duo.established(transport="tcp")

    flow = theirs.session.flow
    assert flow is not None
    duo.net.cut(flow)
    theirs.session.bye()
    duo.finish()

    assert ours.end is not None and ours.end.cause == "remote_bye"


def test_a_ringing_call_ends_with_the_stream_that_its_answer_would_take() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    duo.alice.invite(duo.bob, transport="tcp")
    duo.net.run(1.0)
    theirs = duo.bob.calls[0]

    flow = theirs.session.flow
    assert flow is not None
    duo.net.cut(flow)

    assert theirs.end == Ended("unreachable")
    duo.finish()


def test_our_200_is_sent_again_by_t1_up_to_t2_until_its_ack_comes() -> None:
    duo = Duo()
    lose(duo, "ACK")
    duo.alice.invite(duo.bob)
    duo.net.run(10.0)
    sent = [sent for sent in duo.net.sent if describe(sent.message) == "200 INVITE"]

    pauses = [round(b.at - a.at, 3) for a, b in pairwise(sent)]
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert duo.net.messages(ALICE).count("ACK") == len(sent), "each 200 gets its ACK"
    lose(duo)
    duo.net.run(4.5)
    assert duo.bob.calls[0].session.state == "confirmed"
    duo.bob.calls[0].session.bye()
    duo.finish()


def test_a_lost_200_is_acknowledged_when_it_comes_again() -> None:
    duo = Duo()
    losses = iter([True, True])
    duo.net.drop = lambda sent: describe(sent.message) == "200 INVITE" and next(losses, False)

    ours = duo.alice.invite(duo.bob)
    duo.net.run(5.0)

    assert len(ours.all(Answered)) == 1
    assert duo.bob.calls[0].session.state == "confirmed"
    ours.session.bye()
    duo.finish()


def test_without_an_ack_for_64_t1_the_call_is_ended_with_a_bye() -> None:
    duo = Duo()
    lose(duo, "ACK")
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    theirs = duo.bob.calls[0]
    assert theirs.end == Ended("no_ack")
    assert ours.end is not None and ours.end.cause == "remote_bye"
    bye = next(sent for sent in duo.net.sent if describe(sent.message) == "BYE")
    first = next(sent for sent in duo.net.sent if describe(sent.message) == "200 INVITE")
    assert bye.at - first.at == pytest.approx(32.0)


def accept_and_go(owner: Owner) -> None:
    accepts(owner)
    owner.session.bye()


def test_a_called_party_says_bye_only_after_the_ack() -> None:
    duo = Duo()
    duo.bob.behave = accept_and_go
    losses = iter([True])
    duo.net.drop = lambda sent: describe(sent.message) == "ACK" and next(losses, False)
    duo.alice.invite(duo.bob)
    duo.net.run(0.2)
    assert duo.bob.calls[0].end == Ended("local_bye")
    assert "BYE" not in duo.net.messages(BOB)

    duo.finish()

    assert duo.net.messages(BOB).count("200 INVITE") == 2, "sent again after the owner has gone"
    assert duo.net.messages(BOB)[-1] == "BYE"


def test_a_bye_that_waited_for_the_ack_still_belongs_to_its_session() -> None:
    duo = Duo()
    duo.bob.behave = accept_and_go
    ours = duo.alice.invite(duo.bob)
    ours.react = lambda event: ours.session.bye() if isinstance(event, Answered) else None

    duo.finish()

    assert duo.net.messages().count("200 BYE") == 2
    assert "481 BYE" not in duo.net.messages()


def test_a_called_party_says_bye_when_no_ack_ever_comes() -> None:
    duo = Duo()
    lose(duo, "ACK")
    duo.bob.behave = accept_and_go
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    assert duo.bob.calls[0].end == Ended("local_bye")
    assert ours.end is not None and ours.end.cause == "remote_bye"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_callers_next_request_says_that_our_200_has_arrived(method: str) -> None:
    duo = Duo()
    lose(duo, "ACK")
    ours = duo.alice.invite(duo.bob)
    duo.net.run(0.1)
    theirs = duo.bob.calls[0]
    assert theirs.all(Confirmed) == []
    dialog = ours.session.dialog
    assert dialog is not None
    headers = [
        ("via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnext"),
        ("contact", "<sip:a@192.0.2.1>"),
    ]
    duo.net.inject(ALICE, BOB, dialog.request(method, headers).encode())
    duo.net.run(0.1)

    assert theirs.session.state == "confirmed" and theirs.one(Confirmed)
    theirs.session.bye()
    duo.finish()


# CANCEL


def test_a_ringing_call_is_cancelled() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)

    ours.session.cancel()
    assert ours.end == Ended("cancelled"), "at once, for its owner"
    duo.finish()

    theirs = duo.bob.calls[0]
    assert theirs.end == Ended("cancelled")
    assert "487 INVITE" in duo.net.messages(BOB)
    theirs.session.accept(ANSWER)
    duo.finish()


def test_a_cancel_waits_for_the_first_provisional_answer() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: None
    ours = duo.alice.invite(duo.bob)
    ours.session.cancel()
    assert "CANCEL" not in duo.net.messages(ALICE)
    assert not ours.session.heard

    duo.finish()

    assert duo.net.messages(ALICE)[:2] == ["INVITE", "CANCEL"]
    assert ours.session.heard
    assert duo.bob.calls[0].end == Ended("cancelled")


def test_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)

    duo.bob.calls[0].session.accept(ANSWER)
    ours.session.cancel()
    duo.finish()

    assert ours.events[-1] == Ended("cancelled")
    assert duo.net.messages(ALICE)[-2:] == ["ACK", "BYE"]
    assert duo.bob.calls[0].one(Ended).cause == "remote_bye"


def test_an_invite_that_nobody_answers_has_no_response() -> None:
    duo = Duo()
    lose(duo, "INVITE")
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    assert ours.end == Ended("no_response")


def test_a_call_over_a_stream_to_nowhere_is_unreachable() -> None:
    net = SipNet()
    alice = Agent(net, ALICE)
    nowhere = Destination("tcp", "192.0.2.77", 5060)
    ours = Owner(
        alice.core.invite("sip:x@y", destination=nowhere, from_=NameAddr(alice.uri), sdp=OFFER)
    )

    net.run()

    assert ours.end == Ended("unreachable")
    assert alice.is_clean


def test_a_call_that_rings_for_ever_ends_on_both_sides() -> None:
    settings = AgentSettings(setup_seconds=30.0)
    for alice, bob in ((settings, None), (None, settings)):
        duo = Duo(alice=alice, bob=bob)
        duo.bob.behave = lambda owner: owner.session.ring()
        ours = duo.alice.invite(duo.bob)
        duo.finish()
        assert ours.end is not None and ours.end.cause == ("no_response" if alice else "rejected")
        assert duo.bob.calls[0].end is not None


def test_a_long_ring_is_repeated_every_minute() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)

    duo.net.run(150.0)
    ours.session.end()
    duo.finish()

    assert duo.net.messages(BOB).count("180 INVITE") == 3


# Refusals


def test_a_refusal_comes_with_its_status_reason_and_headers() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.reject(486, "Busy", [("retry-after", "5")])
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    assert ours.end is not None
    assert (ours.end.cause, ours.end.status, ours.end.reason) == ("rejected", 486, "Busy")
    assert ours.end.headers is not None and ours.end.headers.get("retry-after") == "5"
    assert duo.bob.calls[0].end == Ended("rejected", 486, "Busy")


def test_a_redirect_names_its_contacts_in_order() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.redirect(["sip:a@x", "sip:b@x"])
    ours = duo.alice.invite(duo.bob)

    duo.finish()

    assert ours.end is not None and ours.end.headers is not None
    assert (ours.end.cause, ours.end.status) == ("rejected", 302)
    contacts = [NameAddr.parse(text) for text in ours.end.headers.all("contact")]
    assert [contact.uri for contact in contacts] == ["sip:a@x", "sip:b@x"]
    weights = [float(contact.parameters["q"] or 0) for contact in contacts]
    assert weights == sorted(weights, reverse=True) and all(0 < q <= 1 for q in weights)


def test_end_does_the_right_thing_in_every_state() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: None
    duo.alice.invite(duo.bob)
    duo.net.run(0.1)
    duo.bob.calls[0].session.end()
    duo.finish()
    assert "603 INVITE" in duo.net.messages(BOB)

    duo.bob.behave = accepts
    ours, _ = duo.established()
    ours.session.end()
    ours.session.end()
    duo.finish()
    assert duo.net.messages(ALICE).count("BYE") == 1


# Bounds and faults


def test_sessions_are_bounded_both_ways() -> None:
    settings = AgentSettings(max_sessions=1)
    duo = Duo(alice=settings, bob=settings)
    ours, _ = duo.established()
    with pytest.raises(TooManySessions):
        duo.alice.invite(duo.bob)

    duo.net.inject(
        HAND, BOB, wire("INVITE", body=OFFER, headers=[("content-type", "application/sdp")])
    )
    duo.net.run(0.1)
    assert "603 INVITE" in duo.net.messages(BOB)
    ours.session.bye()
    duo.finish()


def test_a_fault_of_one_owner_ends_its_session_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    duo = Duo()
    ours, theirs = duo.established()
    broken, _ = duo.established()

    def break_down(event: object) -> None:
        raise RuntimeError("secret 12345")

    broken.react = break_down
    duo.bob.calls[1].session.info("text/plain", b"x")
    duo.net.run(1.0)

    assert isinstance(broken.events[-1], Ended) and broken.events[-1].cause == "failed"
    assert duo.bob.calls[1].end is not None
    assert ours.end is None and theirs.end is None
    assert {record.message for record in caplog.records} == {"a phone session broke"}
    ours.session.bye()
    duo.finish()


def test_an_owner_that_breaks_over_a_new_call_refuses_it(caplog: pytest.LogCaptureFixture) -> None:
    duo = Duo()

    def break_down(owner: Owner) -> None:
        raise RuntimeError

    duo.bob.behave = break_down
    ours = duo.alice.invite(duo.bob)
    duo.finish()

    assert ours.end is not None and ours.end.status == 500
    assert "the owner of a SIP call broke" in caplog.text


def test_events_before_the_owner_listens_are_kept() -> None:
    net = SipNet()
    alice, bob = Agent(net, ALICE), Agent(net, BOB)
    bob.behave = lambda owner: owner.session.reject(486)
    session = alice.core.invite(
        "sip:b@x", destination=Destination("udp", *BOB), from_=NameAddr(alice.uri), sdp=OFFER
    )
    net.run()

    late = Owner(session)

    assert late.end is not None and late.end.status == 486
