"""Session timers (RFC 4028): refreshed by whom it was agreed, ended when nobody does."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.events import Answered, Ended, Offered
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.message import Request
from tests.edge.transport.sip.core.duo import ALICE, ANSWER, BOB, OFFER, Duo, wire
from tests.fakes.sip_net import describe

HAND = ("192.0.2.9", 5060)
SDP = ("content-type", "application/sdp")
OFF = AgentSettings(session_expires=0)


def test_a_call_is_refreshed_by_update_half_way() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    answered = ours.one(Answered).headers
    assert answered.get("session-expires") == "1800;refresher=uac"
    assert answered.tokens("require") == {"timer"}

    duo.net.run(2000.0)

    updates = [sent for sent in duo.net.sent if describe(sent.message) == "UPDATE"]
    assert [sent.source for sent in updates] == [ALICE, ALICE]
    assert updates[0].message.body == b""
    assert updates[0].message.headers.get("session-expires") == "1800;refresher=uac"
    assert theirs.all(Offered) == [] and ours.end is None
    ours.session.bye()
    duo.finish()


def test_without_update_the_same_description_is_offered_again() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    ours.session._usage.peer_allows = frozenset({"INVITE", "ACK", "BYE"})
    theirs.react = lambda event: theirs.session.answer(ANSWER)

    duo.net.run(1000.0)

    again = [s.message for s in duo.net.sent if describe(s.message) == "INVITE"][-1]
    assert again.body == OFFER
    assert theirs.one(Offered).sdp == OFFER
    assert len(ours.events) == 2, "nothing has changed, so the owner hears nothing"
    ours.session.bye()
    duo.finish()


def test_a_call_whose_far_end_is_gone_expires_on_both_sides() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    began = duo.net.clock.monotonic()
    duo.net.drop = lambda sent: True
    duo.net.run(1800.0)

    # The refresher hears nothing in answer; the other one hears nothing at all.
    assert ours.end == Ended("no_response")
    assert theirs.end == Ended("expired")
    duo.finish()
    bye = [sent for sent in duo.net.sent if describe(sent.message) == "BYE"]
    assert 1767 < bye[-1].at - began < 1801


def test_a_refresh_that_is_refused_is_tried_again_until_the_call_expires() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    ours.session._usage.peer_allows = frozenset()
    theirs.react = lambda event: theirs.session.refuse(500)

    duo.net.run(1850.0)

    assert "expired" in [owner.end.cause for owner in (ours, theirs) if owner.end is not None]
    assert duo.net.messages(BOB).count("500 INVITE") > 3
    duo.finish()


def test_too_short_an_interval_is_refused_and_raised() -> None:
    duo = Duo(alice=AgentSettings(session_expires=90), bob=AgentSettings(min_se=600))
    ours, _ = duo.established()

    assert "422 INVITE" in duo.net.messages(BOB)
    again = [s.message for s in duo.net.sent if describe(s.message) == "INVITE"][1]
    assert again.headers.get("session-expires") == "600"
    assert again.headers.get("min-se") == "600"
    assert (ours.one(Answered).headers.get("session-expires") or "").startswith("600")
    ours.session.bye()
    duo.finish()


def test_a_422_that_asks_for_nothing_longer_ends_the_call() -> None:
    for least in ("90", "999999999", "x"):
        duo = Duo(alice=AgentSettings(session_expires=120))
        duo.bob.behave = lambda owner, least=least: owner.session.reject(  # type: ignore[misc]
            422, None, [("min-se", least)]
        )
        ours = duo.alice.invite(duo.bob)
        duo.finish()
        assert ours.end is not None and ours.end.status == 422


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ([("supported", "timer"), ("session-expires", "600")], "600;refresher=uac"),
        ([("supported", "timer"), ("session-expires", "600;refresher=uas")], "600;refresher=uas"),
        ([("supported", "timer"), ("session-expires", "7200")], "1800;refresher=uac"),
        (
            [("supported", "timer"), ("session-expires", "7200"), ("min-se", "3600")],
            "3600;refresher=uac",
        ),
        ([("supported", "timer")], "1800;refresher=uac"),
        ([("session-expires", "600;refresher=uac")], "600;refresher=uas"),
        ([], None),
    ],
)
def test_the_interval_and_its_refresher_are_agreed_by_table_2(
    asked: list[tuple[str, str]], answered: str | None
) -> None:
    duo = Duo()
    duo.net.inject(HAND, BOB, wire("INVITE", headers=[SDP, *asked], body=OFFER))
    duo.net.run(0.1)

    response = next(s.message for s in duo.net.sent if describe(s.message) == "200 INVITE")
    assert response.headers.get("session-expires") == answered
    required = answered is not None and answered.endswith("uac")
    assert ("timer" in response.headers.tokens("require")) is required
    duo.bob.calls[0].session.end()
    duo.finish()


def test_an_interval_that_cannot_be_read_is_a_bad_request() -> None:
    for name, value in (("session-expires", "soon"), ("min-se", "-1")):
        duo = Duo()
        headers = [SDP, ("supported", "timer"), (name, value)]
        duo.net.inject(HAND, BOB, wire("INVITE", headers=headers, body=OFFER))
        duo.finish()
        assert duo.net.messages(BOB)[0] == "400 INVITE"
        assert not duo.bob.calls


def test_nobody_who_wants_no_timer_gets_one() -> None:
    duo = Duo(alice=OFF, bob=OFF)
    ours, theirs = duo.established()

    duo.net.run(90_000.0)

    assert ours.end is None and theirs.end is None
    invite = duo.net.sent[0].message
    assert isinstance(invite, Request) and invite.headers.get("session-expires") is None
    ours.session.bye()
    duo.finish()


def test_a_request_without_a_wish_changes_no_roles() -> None:
    duo = Duo()
    asked = [SDP, ("supported", "timer"), ("session-expires", "600;refresher=uas")]
    duo.net.inject(HAND, BOB, wire("INVITE", headers=asked, body=OFFER))
    duo.net.run(0.1)
    answer = next(s.message for s in duo.net.sent if describe(s.message) == "200 INVITE")
    to = f"<sip:bob@192.0.2.2>;tag={answer.to.tag}"
    headers = [("supported", "timer")]
    duo.net.inject(HAND, BOB, wire("UPDATE", headers=headers, to=to, cseq=2, branch="z9hG4bK2"))
    duo.net.run(0.1)
    answer = next(s.message for s in duo.net.sent if describe(s.message) == "200 UPDATE")
    assert answer.headers.get("session-expires") == "600;refresher=uas"
    duo.bob.calls[0].session.end()
    duo.finish()
