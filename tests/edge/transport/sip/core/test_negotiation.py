"""Offers inside a session: hold and resume, glare, UPDATE, and what may not be asked now."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.events import (
    Agreed,
    Answered,
    Confirmed,
    Ended,
    Offered,
    OfferFailed,
    Progress,
    SessionEvent,
)
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.core.duo import ANSWER, BOB, HELD, HOLD, OFFER, Agent, Duo, Owner
from tests.fakes.sip_net import describe


def answering(owner: Owner, sdp: bytes = HELD) -> None:
    """Answer every offer."""

    def react(event: SessionEvent) -> None:
        if isinstance(event, Offered):
            owner.session.answer(sdp)

    owner.react = react


def reinvite(sender: Agent, session_owner: Owner, body: bytes, method: str = "INVITE") -> Request:
    """A request of the far end that its own session did not make."""
    dialog = session_owner.session.dialog
    assert dialog is not None
    headers = [("via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{dialog.local_cseq}")]
    headers += [("contact", f"<{sender.uri}>")]
    if body:
        headers.append(("content-type", "application/sdp"))
    return dialog.request(method, headers, body)


@pytest.mark.parametrize("caller", [True, False])
def test_either_side_holds_the_call_by_a_re_invite(caller: bool) -> None:
    duo = Duo()
    ours, theirs = duo.established()
    one, other = (ours, theirs) if caller else (theirs, ours)
    answering(other)

    assert one.session.offer(HOLD)
    duo.net.run(1.0)

    assert one.one(Agreed).sdp == HELD
    assert other.one(Offered).sdp == HOLD
    assert one.session.sdp == HELD and other.session.sdp == HOLD
    one.session.bye()
    duo.finish()


def test_a_refused_offer_leaves_the_call_as_it_was() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    ours.session.offer(HOLD)
    duo.net.run(1.0)
    theirs.session.refuse()
    duo.net.run(1.0)

    assert ours.one(OfferFailed).status == 488
    assert ours.session.state == "confirmed"
    ours.session.bye()
    duo.finish()


def test_an_offer_that_the_owner_forgets_is_refused() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    ours.session.offer(HOLD)
    duo.net.run(30.0)

    assert ours.one(OfferFailed).status == 504
    theirs.session.answer(HELD)
    ours.session.bye()
    duo.finish()


def test_only_one_offer_is_open() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    assert ours.session.offer(HOLD)
    assert not ours.session.offer(OFFER)
    duo.net.run(1.0)
    assert not theirs.session.offer(HOLD), "theirs is unanswered"
    theirs.session.answer(HELD)
    duo.net.run(1.0)
    assert theirs.session.offer(HOLD)
    duo.net.run(1.0)
    ours.session.bye()
    duo.finish()
    assert not ours.session.offer(HOLD)


def test_offers_that_cross_are_both_refused_and_the_called_party_tries_first() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    answering(ours)
    answering(theirs)
    began = duo.net.clock.monotonic()

    ours.session.offer(HOLD)
    theirs.session.offer(HOLD)
    duo.net.run(10.0)

    assert duo.net.messages().count("491 INVITE") == 2
    again = [sent for sent in duo.net.sent if describe(sent.message) == "INVITE"][3:]
    assert again[0].source == BOB and again[0].at - began < 2.1
    # Theirs came while ours waited: it counts, and the owner decides anew.
    assert theirs.one(Agreed).sdp == HELD
    assert ours.one(OfferFailed).status == 491
    ours.session.bye()
    duo.finish()


@pytest.mark.parametrize(("caller", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_a_glare_the_owner_of_the_call_id_waits_longer(
    caller: bool, least: float, most: float
) -> None:
    pauses = set()
    for seed in range(20):
        duo = Duo(seed=seed)
        ours, theirs = duo.established()
        one, other = (ours, theirs) if caller else (theirs, ours)
        refusals = iter([True])
        other.react = lambda event, session=other.session, left=refusals: (  # type: ignore[misc]
            session.refuse(491) if next(left, False) else session.answer(HELD)
        )
        one.session.offer(HOLD)
        duo.net.run(10.0)
        assert one.one(Agreed)
        tries = [sent.at for sent in duo.net.sent if describe(sent.message) == "INVITE"]
        pauses.add(round(tries[2] - tries[1] - 0.02, 3))
        ours.session.end()
        duo.finish()
    assert all(least <= pause <= most for pause in pauses) and len(pauses) > 5


def test_glare_without_end_is_given_up() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    theirs.react = lambda event: theirs.session.refuse(491)

    ours.session.offer(HOLD)
    duo.net.run(60.0)

    assert ours.one(OfferFailed).status == 491
    assert duo.net.messages().count("491 INVITE") == 4
    ours.session.bye()
    duo.finish()


def test_an_invite_while_theirs_is_unanswered_gets_500_with_retry_after() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    ours.session.offer(HOLD)
    duo.net.run(0.1)

    request = reinvite(duo.alice, ours, OFFER)
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)

    refusal = duo.alice.heard("500 INVITE")[0]
    assert 0 <= int(refusal.headers.get("retry-after") or "-1") <= 10
    theirs.session.answer(HELD)
    duo.net.run(0.1)
    ours.session.bye()
    duo.finish()


def test_a_late_offer_inside_the_call_is_answered_in_the_ack() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    theirs.react = lambda event: theirs.session.answer(HOLD) if event == Offered(None) else None

    request = reinvite(duo.alice, ours, b"")
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)
    assert duo.alice.heard("200 INVITE")[-1].body == HOLD
    assert not theirs.session.offer(OFFER), "our own offer in the 200 is open"
    ack = reinvite(duo.alice, ours, HELD, "ACK")
    ack.headers.set("cseq", f"{request.cseq.number} ACK")
    duo.net.inject(duo.alice.address, BOB, ack.encode())
    duo.net.run(0.1)

    assert theirs.all(Confirmed)[-1].sdp == HELD
    ours.session.bye()
    duo.finish()


def test_an_ack_that_owes_an_answer_and_has_none_ends_the_call() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    theirs.react = lambda event: theirs.session.answer(HOLD) if event == Offered(None) else None
    request = reinvite(duo.alice, ours, b"")
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)
    ack = reinvite(duo.alice, ours, b"", "ACK")
    ack.headers.set("cseq", f"{request.cseq.number} ACK")
    duo.net.inject(duo.alice.address, BOB, ack.encode())

    duo.finish()

    assert theirs.end == Ended("failed")
    assert ours.end is not None and ours.end.cause == "remote_bye"


def test_a_re_invites_200_without_an_ack_ends_the_call_after_64_t1() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    answering(theirs)
    duo.net.drop = lambda sent: describe(sent.message) == "ACK"

    ours.session.offer(HOLD)
    duo.finish()

    assert theirs.end == Ended("no_ack")
    assert ours.end is not None and ours.end.cause == "remote_bye"
    assert duo.net.messages(BOB).count("200 INVITE") > 5


def test_a_next_offer_says_that_the_last_answer_has_arrived() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    answering(theirs)
    losses = iter([True])
    duo.net.drop = lambda sent: describe(sent.message) == "ACK" and next(losses, False)
    ours.session.offer(HOLD)
    duo.net.run(0.1)

    assert ours.session.offer(OFFER)
    duo.net.run(20.0)

    assert [event.sdp for event in theirs.all(Offered)] == [HOLD, OFFER]
    assert duo.net.messages(BOB).count("200 INVITE") == 3, "the call's, and one for each offer"
    ours.session.bye()
    duo.finish()


@pytest.mark.parametrize(("status", "cause"), [(481, "failed"), (408, "no_response")])
def test_an_offer_to_a_far_end_that_lost_the_call_ends_it(status: int, cause: str) -> None:
    duo = Duo()
    ours, theirs = duo.established()
    theirs.react = lambda event: theirs.session.refuse(status)

    ours.session.offer(HOLD)
    duo.net.run(1.0)

    assert ours.end == Ended(cause, status)  # type: ignore[arg-type]
    duo.finish()


def test_an_offer_that_is_never_answered_ends_the_call() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    duo.net.drop = lambda sent: sent.target == BOB

    ours.session.offer(HOLD)
    duo.net.run(40.0)

    assert ours.end == Ended("no_response")
    theirs.session.bye()
    duo.finish()


def test_a_bye_ends_a_call_with_an_open_offer_in_either_direction() -> None:
    for caller_ends in (True, False):
        duo = Duo()
        ours, theirs = duo.established()
        ours.session.offer(HOLD)
        duo.net.run(0.1)
        (ours if caller_ends else theirs).session.bye()
        duo.finish()
        assert "487 INVITE" in duo.net.messages(BOB)
        assert ours.end is not None and theirs.end is not None


def test_a_target_moves_with_a_re_invite() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    answering(theirs)
    elsewhere = Agent(duo.net, ("192.0.2.4", 5060))

    request = reinvite(elsewhere, ours, HOLD)
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)
    theirs.session.info("text/plain", b"hello")
    duo.net.run(0.1)

    assert elsewhere.heard("INFO")
    theirs.session.bye()
    ours.session.bye()
    duo.net.run()


# UPDATE


def test_an_update_without_an_offer_is_a_sign_of_life() -> None:
    duo = Duo()
    ours, theirs = duo.established()

    request = reinvite(duo.alice, ours, b"", "UPDATE")
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)

    assert duo.alice.heard("200 UPDATE")
    assert theirs.all(Offered) == []
    ours.session.bye()
    duo.finish()


def early(duo: Duo) -> tuple[Owner, Owner]:
    """A call with early media that both know of for sure."""
    duo.bob.behave = lambda owner: owner.session.ring(183, ANSWER)
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)
    assert ours.one(Progress).sdp == ANSWER
    return ours, duo.bob.calls[0]


@pytest.mark.parametrize("caller", [True, False])
def test_early_media_is_changed_by_update(caller: bool) -> None:
    duo = Duo()
    ours, theirs = early(duo)
    one, other = (ours, theirs) if caller else (theirs, ours)
    answering(other)

    assert one.session.offer(HOLD)
    duo.net.run(1.0)
    assert one.one(Agreed).sdp == HELD
    assert "UPDATE" in duo.net.messages()

    theirs.session.accept(ANSWER)
    duo.net.run(1.0)
    assert ours.all(Answered)
    ours.session.bye()
    duo.finish()


def test_an_update_before_the_first_answer_has_to_wait() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(180)
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)
    assert not ours.session.offer(HOLD)

    request = reinvite(duo.alice, ours, HOLD, "UPDATE")
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)

    refusal = duo.alice.heard("500 UPDATE")[0]
    assert refusal.headers.get("retry-after") is not None
    ours.session.cancel()
    duo.finish()


def test_an_update_against_an_open_offer_of_ours_is_refused_with_491() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring(180)
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)
    theirs = duo.bob.calls[0]

    request = reinvite(duo.bob, theirs, HOLD, "UPDATE")
    duo.net.inject(BOB, duo.alice.address, request.encode())
    duo.net.run(0.1)

    assert duo.bob.heard("491 UPDATE")
    ours.session.cancel()
    duo.finish()


def test_a_short_interval_in_an_update_is_refused() -> None:
    duo = Duo(bob=AgentSettings(min_se=120))
    ours, _ = duo.established()
    request = reinvite(duo.alice, ours, b"", "UPDATE")
    request.headers.add("session-expires", "90")
    request.headers.add("supported", "timer")
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)

    refusal = duo.alice.heard("422 UPDATE")[0]
    assert isinstance(refusal, Response) and refusal.headers.get("min-se") == "120"
    ours.session.bye()
    duo.finish()


def test_a_re_invite_before_the_first_invite_is_answered_has_to_wait() -> None:
    duo = Duo()
    ours, _ = early(duo)

    request = reinvite(duo.alice, ours, HOLD)
    duo.net.inject(duo.alice.address, BOB, request.encode())
    duo.net.run(0.1)

    assert duo.alice.heard("500 INVITE")
    ours.session.cancel()
    duo.finish()


@pytest.mark.parametrize("caller", [True, False])
def test_a_2xx_to_a_re_invite_that_was_given_up_is_acknowledged(caller: bool) -> None:
    duo = Duo()
    ours, theirs = duo.established()
    one, other = (ours, theirs) if caller else (theirs, ours)
    near, far = (duo.alice, duo.bob) if caller else (duo.bob, duo.alice)
    answering(other)
    assert one.session.offer(HOLD)
    near.core.transport_failed(last(duo, near).via.branch)
    assert one.one(OfferFailed).status == 503
    acks = len(far.heard("ACK"))

    duo.net.run(1.0)

    assert len(far.heard("ACK")) == acks + 1
    assert one.end is other.end is None
    one.session.bye()
    duo.finish()


def last(duo: Duo, agent: Agent) -> Request:
    """What ``agent`` asked last."""
    sent = duo.net.sent[-1]
    assert sent.source == agent.address and isinstance(sent.message, Request)
    return sent.message
