"""Giving a caller away, and being asked to go (RFC 3515, 3891, 3892, 4488)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.transport.sip.core.events import Answered, Ended, ReferProgress
from edge.transport.sip.core.refer import Referral
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.message import Request
from tests.edge.transport.sip.core.duo import BOB, OFFER, Agent, Duo, Owner, accepts, wire
from tests.fakes.sip_net import describe

CAROL = ("192.0.2.3", 5060)
HAND = ("192.0.2.9", 5060)
SDP = ("content-type", "application/sdp")
REPLACING = AgentSettings(allow_replaces=True)


def taking(take: Callable[[Referral], None]) -> Callable[[Referral], bool]:
    """An ``on_refer`` that takes every REFER."""

    def on_refer(referral: Referral) -> bool:
        take(referral)
        return True

    return on_refer


def reporting(*statuses: int) -> Callable[[Referral], None]:
    """Accepts, and reports these."""

    def take(referral: Referral) -> None:
        referral.accept()
        for status in statuses:
            referral.report(status)

    return take


def transferring(take: Callable[[Referral], None] | None) -> tuple[Duo, Owner, Owner]:
    """Bob gives Alice, who called, to Carol; Alice does with it what ``take`` does."""
    duo = Duo()
    ours, theirs = duo.established()
    if take is not None:
        ours.session.on_refer = taking(take)
    assert theirs.session.refer("sip:carol@192.0.2.3?User-to-User=31%3Bencoding%3Dhex")
    return duo, ours, theirs


def progress(owner: Owner) -> list[tuple[int, bool]]:
    return [(event.status, event.final) for event in owner.all(ReferProgress)]


def test_a_transfer_is_followed_to_its_success() -> None:
    seen: list[Referral] = []

    def take(referral: Referral) -> None:
        seen.append(referral)
        referral.accept()
        referral.report(180)

    duo, _, theirs = transferring(take)
    duo.net.run(1.0)
    assert seen[0].to.uri == "sip:carol@192.0.2.3"
    assert seen[0].to.headers == (("User-to-User", "31;encoding=hex"),)
    assert seen[0].by == "<sip:bob@192.0.2.2>", "who is named in the dialog"
    assert theirs.session.transferring
    assert not theirs.session.refer("sip:dave@192.0.2.3"), "one at a time"

    seen[0].report(200)
    duo.net.run(1.0)
    assert progress(theirs) == [(100, False), (180, False), (200, True)]
    assert not theirs.session.transferring
    seen[0].report(486)
    theirs.session.bye()
    duo.finish()
    assert progress(theirs)[-1] == (200, True)


def test_a_transfer_that_fails_leaves_the_call() -> None:
    duo, ours, theirs = transferring(reporting(486))
    duo.net.run(1.0)

    assert progress(theirs)[-1] == (486, True)
    assert theirs.session.refer("sip:dave@192.0.2.3"), "and another one may be tried"
    ours.session.bye()
    duo.finish()


def test_a_refer_is_declined_unless_the_owner_takes_it() -> None:
    duo, ours, theirs = transferring(None)
    duo.net.run(1.0)

    assert progress(theirs) == [(603, True)]
    ours.session.bye()
    duo.finish()


def test_a_refer_that_the_owner_forgets_is_declined() -> None:
    duo, ours, theirs = transferring(lambda referral: None)
    duo.net.run(60.0)

    assert progress(theirs)[-1][1]
    ours.session.bye()
    duo.finish()


def test_a_transfer_without_a_word_times_out() -> None:
    duo, ours, theirs = transferring(reporting())
    duo.net.run(130.0)

    assert progress(theirs) == [(100, False), (408, True)]
    assert theirs.session.state == "confirmed"
    ours.session.bye()
    duo.finish()


def test_a_bye_while_transferring_counts_as_the_last_word() -> None:
    duo, ours, theirs = transferring(reporting(180))
    duo.net.run(1.0)

    ours.session.bye()
    duo.finish()

    assert progress(theirs) == [(100, False), (180, False), (180, True)]
    assert theirs.end is not None and theirs.end.cause == "remote_bye"


def test_a_far_end_that_will_not_notify_has_taken_the_transfer() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    ours.session.on_refer = taking(reporting())
    theirs.session.refer("sip:carol@192.0.2.3", headers=[("refer-sub", "false")])
    duo.net.run(1.0)

    assert progress(theirs) == [(202, True)]
    assert "NOTIFY" not in duo.net.messages()
    ours.session.bye()
    duo.finish()


def test_a_refer_that_nobody_answers_fails_and_the_call_goes_on() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    duo.net.drop = lambda sent: describe(sent.message) == "REFER"
    theirs.session.refer("sip:carol@192.0.2.3")
    duo.net.run(40.0)

    assert progress(theirs) == [(408, True)]
    assert theirs.session.state == "confirmed"
    ours.session.bye()
    duo.finish()


def test_a_refer_without_one_target_is_a_bad_request() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    dialog = theirs.session.dialog
    assert dialog is not None
    for number, target in enumerate((None, "no address <", "<tel:+1>")):
        headers = [("via", f"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKr{number}")]
        headers += [("refer-to", target)] if target is not None else []
        request = dialog.request("REFER", headers)
        duo.net.inject(BOB, duo.alice.address, request.encode())
        duo.net.run(0.1)
    replies = [what for what in duo.net.messages(duo.alice.address) if what.endswith("REFER")]
    assert replies == ["400 REFER", "400 REFER", "416 REFER"]
    ours.session.bye()
    duo.finish()


def test_notifications_that_nobody_asked_for_are_refused() -> None:
    duo = Duo()
    ours, _ = duo.established()
    dialog = ours.session.dialog
    assert dialog is not None
    for event in ("refer", "presence"):
        headers = [("via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{event}"), ("event", event)]
        duo.net.inject(duo.alice.address, BOB, dialog.request("NOTIFY", headers).encode())
        duo.net.run(0.1)
    assert duo.net.messages(BOB)[-2:] == ["481 NOTIFY", "489 NOTIFY"]
    ours.session.bye()
    duo.finish()


# Replaces


def attended(settings: AgentSettings = REPLACING) -> tuple[Duo, Agent, Owner, Owner, Owner]:
    """Bob has Alice, who called him, and asks Carol; then he gives Alice to Carol."""
    duo = Duo()
    carol = Agent(duo.net, CAROL, settings)
    carol.behave = accepts
    ours, theirs = duo.established()
    asking = duo.bob.invite(carol)
    duo.net.run(1.0)

    def take(referral: Referral) -> bool:
        referral.accept()
        headers = [(name, value) for name, value in referral.to.headers if name == "Replaces"]
        new = duo.alice.invite(carol, headers=headers)
        new.react = lambda event: referral.report(200) if isinstance(event, Answered) else None
        return True

    ours.session.on_refer = take
    assert theirs.session.refer("sip:carol@192.0.2.3", replaces=asking.session)
    return duo, carol, ours, theirs, asking


def test_an_attended_transfer_joins_the_two_calls() -> None:
    duo, carol, _, theirs, asking = attended()
    duo.net.run(1.0)

    first, second = carol.calls
    assert first.end == Ended("replaced")
    assert second.session.state == "confirmed"
    assert asking.end is not None and asking.end.cause == "remote_bye"
    assert progress(theirs)[-1] == (200, True)
    theirs.session.bye()
    duo.net.run(1.0)
    assert second.end is None
    second.session.bye()
    duo.finish()
    assert carol.is_clean


def test_replaces_means_nothing_when_the_settings_do_not_allow_it() -> None:
    duo, carol, ours, theirs, asking = attended(AgentSettings())
    duo.net.run(1.0)

    assert [owner.end for owner in carol.calls] == [None, None]
    for owner in (ours, theirs, asking, *carol.calls):
        owner.session.end()
    duo.finish()


def replacing(duo: Duo, value: str | None, count: int = 1, branch: str = "z9hG4bKr") -> str:
    """Bob's answer to an INVITE with that Replaces."""
    headers = [SDP, *([("replaces", value)] * count if value is not None else [])]
    before = len(duo.net.sent)
    data = wire("INVITE", headers=headers, body=OFFER, branch=branch, call_id=branch)
    duo.net.inject(HAND, BOB, data)
    duo.net.run(0.1)
    return describe(duo.net.sent[before].message)


def test_replaces_finds_only_what_it_may() -> None:
    duo = Duo(bob=REPLACING)
    _, theirs = duo.established()
    one = theirs.session
    good = f"{one.call_id};to-tag={one.local_tag};from-tag={one.remote_tag}"

    assert replacing(duo, "nobody;to-tag=a;from-tag=b", branch="z9hG4bK1") == "481 INVITE"
    wrong = f"{one.call_id};to-tag={one.remote_tag};from-tag={one.local_tag}"
    assert replacing(duo, wrong, branch="z9hG4bK2") == "481 INVITE"
    assert replacing(duo, f"{good};early-only", branch="z9hG4bK3") == "486 INVITE"
    assert replacing(duo, "x", branch="z9hG4bK4") == "400 INVITE"
    assert replacing(duo, good, count=2, branch="z9hG4bK5") == "400 INVITE"
    assert theirs.end is None

    duo.bob.behave = lambda owner: owner.session.reject(486)
    assert replacing(duo, good, branch="z9hG4bK6") == "486 INVITE"
    assert theirs.end is None, "who refuses the new call keeps the old one"
    duo.net.drop = lambda sent: describe(sent.message) == "BYE"
    theirs.session.bye()
    assert replacing(duo, good, branch="z9hG4bK7") == "603 INVITE"
    duo.net.drop = lambda sent: False
    duo.finish()


def test_an_early_call_is_replaced_only_for_its_caller() -> None:
    duo = Duo(alice=REPLACING, bob=REPLACING)
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)
    duo.net.run(1.0)
    theirs = duo.bob.calls[0].session
    value = f"{theirs.call_id};to-tag={theirs.local_tag};from-tag={theirs.remote_tag}"
    assert replacing(duo, value) == "481 INVITE"

    duo.alice.behave = accepts
    one = ours.session
    value = f"{one.call_id};to-tag={one.local_tag};from-tag={one.remote_tag}"
    data = wire("INVITE", headers=[SDP, ("replaces", value)], body=OFFER, call_id="pick-up")
    duo.net.inject(HAND, duo.alice.address, data)
    duo.net.run(1.0)

    assert ours.end == Ended("replaced")
    assert duo.bob.calls[0].end == Ended("cancelled")
    duo.alice.calls[0].session.end()
    duo.finish()


def test_the_tags_of_refer_to_are_as_the_third_party_sees_them() -> None:
    duo, carol, ours, theirs, asking = attended()
    refer = next(s.message for s in duo.net.sent if describe(s.message) == "REFER")
    assert isinstance(refer, Request)
    replaces = ReferTo.parse(refer.headers.get("refer-to") or "").replaces
    assert replaces is not None
    there = carol.calls[0].session
    assert (replaces.call_id, replaces.to_tag, replaces.from_tag) == (
        there.call_id,
        there.local_tag,
        there.remote_tag,
    )
    duo.net.run(1.0)
    for owner in (ours, theirs, asking, *carol.calls):
        owner.session.end()
    duo.finish()


def test_nobody_is_given_to_a_call_that_is_over() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    gone, _ = duo.established()
    gone.session.bye()
    assert not theirs.session.refer("sip:x@y", replaces=gone.session)
    assert not gone.session.refer("sip:x@y")
    ours.session.bye()
    duo.finish()


@pytest.mark.parametrize("status", [400, 481])
def test_a_refused_refer_says_so(status: int) -> None:
    duo = Duo()
    ours, theirs = duo.established()
    ours.session.on_refer = taking(lambda referral: referral.refuse(status))
    theirs.session.refer("sip:carol@192.0.2.3")
    duo.net.run(1.0)
    assert progress(theirs) == [(status, True)]
    assert theirs.session.state == "confirmed"
    theirs.session.bye()
    duo.finish()


def test_one_refer_of_theirs_is_followed_at_a_time() -> None:
    duo, ours, theirs = transferring(reporting())
    duo.net.run(1.0)
    theirs.session._transfer._running = False  # as a far end that cares for no order
    theirs.session.refer("sip:dave@192.0.2.3")
    duo.net.run(1.0)

    assert duo.net.messages(duo.alice.address).count("202 REFER") == 1
    assert progress(theirs)[-1] == (603, True)
    ours.session.bye()
    duo.finish()
