"""Challenges to requests of ours (RFC 3261 section 22)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.events import Offered
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.digest import Credentials
from tests.edge.transport.sip.core.duo import (
    BOB,
    HELD,
    HOLD,
    Duo,
)
from tests.fakes.sip_net import describe

SECRET = Credentials("alice", "secret", None)


def guarding(duo: Duo, status: int = 401, rounds: int = 1, stale: bool = False) -> list[str]:
    """Bob's agent asks for credentials ``rounds`` times per request; what it was sent."""
    seen: list[str] = []
    name = "www-authenticate" if status == 401 else "proxy-authenticate"
    answer = "authorization" if status == 401 else "proxy-authorization"

    def admit(transaction: ServerTransaction) -> bool:
        given = transaction.request.headers.get(answer)
        seen.append(given or "")
        tries = len(seen)
        if given is not None and tries > rounds:
            return False
        again = ", stale=true" if stale and given else ""
        challenge = f'Digest realm="x", nonce="n{tries}", algorithm=SHA-256, qop="auth"{again}'
        transaction.respond(make_response(transaction.request, status, headers=[(name, challenge)]))
        return True

    duo.bob.core.on_request = admit
    return seen


@pytest.mark.parametrize("status", [401, 407])
def test_an_invite_is_sent_again_with_credentials(status: int) -> None:
    duo = Duo()
    seen = guarding(duo, status)
    ours, _ = duo.established(credentials=SECRET)

    assert seen[0] == "" and 'username="alice"' in seen[1] and "secret" not in seen[1]
    invites = [s.message for s in duo.net.sent if describe(s.message) == "INVITE"]
    assert invites[1].cseq.number == invites[0].cseq.number + 1
    assert invites[1].call_id == invites[0].call_id
    assert invites[1].from_.tag == invites[0].from_.tag and not invites[1].to.tag
    ack = [s.message for s in duo.net.sent if describe(s.message) == "ACK"][-1]
    name = "authorization" if status == 401 else "proxy-authorization"
    assert ack.headers.get(name) == seen[1], "the ACK to the 2xx repeats them"
    assert ours.session.request.cseq == invites[1].cseq
    ours.session.bye()
    duo.finish()


def test_credentials_are_not_tried_for_ever() -> None:
    for rounds, stale, tries in ((99, False, 2), (99, True, 3)):
        duo = Duo()
        seen = guarding(duo, 401, rounds, stale)
        ours = duo.alice.invite(duo.bob, credentials=SECRET)
        duo.finish()
        assert ours.end is not None and ours.end.status == 401
        assert len(seen) == tries


def test_without_credentials_a_challenge_is_a_refusal() -> None:
    duo = Duo()
    guarding(duo)
    ours = duo.alice.invite(duo.bob)
    duo.finish()
    assert ours.end is not None and (ours.end.cause, ours.end.status) == ("rejected", 401)


def test_a_cancelled_invite_answers_no_challenge() -> None:
    duo = Duo()
    seen = guarding(duo)
    ours = duo.alice.invite(duo.bob, credentials=SECRET)
    ours.session.cancel()
    duo.finish()
    assert len(seen) == 1


def test_requests_inside_a_call_are_sent_again_with_credentials() -> None:
    duo = Duo()
    ours, theirs = duo.established(credentials=SECRET)
    theirs.react = lambda event: theirs.session.answer(HELD) if event == Offered(HOLD) else None
    inside = theirs.session.received

    def challenge(transaction: ServerTransaction) -> None:
        if "authorization" in transaction.request.headers:
            inside(transaction)
            return
        asked = ("www-authenticate", 'Digest realm="x", nonce="n", qop="auth"')
        transaction.respond(make_response(transaction.request, 401, headers=[asked]))

    theirs.session.received = challenge  # type: ignore[method-assign]
    ours.session.offer(HOLD)
    duo.net.run(1.0)
    ours.session.bye()
    duo.finish()

    assert duo.net.messages(BOB).count("401 INVITE") == duo.net.messages(BOB).count("401 BYE") == 1
    assert theirs.end is not None and theirs.end.cause == "remote_bye"
    assert ours.session.sdp == HELD
