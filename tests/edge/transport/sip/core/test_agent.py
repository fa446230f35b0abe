"""The agent at its door: who gets in, and what those hear who do not."""

from __future__ import annotations

from typing import Any

import pytest

from edge.transport.sip.core.agent import AgentCore
from edge.transport.sip.core.events import Ended, InfoReceived, Offered
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.message import Response
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.core.duo import (
    ALICE,
    BOB,
    OFFER,
    Agent,
    Duo,
    Owner,
    wire,
)
from tests.fakes.sip_net import SipNet, describe

HAND = ("192.0.2.9", 5060)
SDP = ("content-type", "application/sdp")


def ask(duo: Duo, method: str, *args: Any, **more: Any) -> Response:
    """Bob's answer to a request made by hand."""
    before = len(duo.net.sent)
    duo.net.inject(HAND, BOB, wire(method, *args, **more))
    duo.net.run(0.01)
    answer = duo.net.sent[before].message
    assert isinstance(answer, Response)
    return answer


# Outside of dialogs


def test_options_says_what_is_understood() -> None:
    duo = Duo()
    answer = ask(duo, "OPTIONS", headers=[("max-forwards", "0")])
    assert answer.status == 200
    assert answer.headers.tokens("allow") >= {"invite", "bye", "update", "prack", "refer"}
    assert answer.headers.tokens("supported") == {"100rel", "timer", "norefersub"}
    assert "application/sdp" in answer.headers.tokens("accept")
    assert answer.headers.get("server") == "test"
    assert answer.to.tag
    duo.finish()


@pytest.mark.parametrize(
    ("method", "more", "status", "name", "value"),
    [
        ("REGISTER", {}, 405, "allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, "
         "PRACK, REFER, NOTIFY"),
        ("MESSAGE", {}, 405, "server", "test"),
        ("FLY", {}, 501, "server", "test"),
        ("REFER", {}, 603, None, None),
        ("BYE", {}, 481, None, None),
        ("NOTIFY", {}, 481, None, None),
        ("INVITE", {"to": "<sip:b@x>;tag=none"}, 481, None, None),
        ("INVITE", {"headers": [("require", "timer, magic")]}, 420, "unsupported", "magic"),
        ("INVITE", {"headers": [("require", "replaces")]}, 420, "unsupported", "replaces"),
        ("INVITE", {"uri": "mailto:bob@x"}, 416, None, None),
        ("INVITE", {"contact": None}, 400, None, None),
        ("INVITE", {"contact": "<tel:+1>"}, 416, None, None),
        ("INVITE", {"headers": [("content-type", "text/plain")], "body": b"x"}, 415, "accept",
         "application/sdp, multipart/mixed"),
        ("INVITE", {"headers": [SDP, ("content-encoding", "gzip")], "body": b"x"}, 415, "accept",
         "application/sdp, multipart/mixed"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_its_reason(
    method: str, more: dict[str, Any], status: int, name: str | None, value: str | None
) -> None:
    duo = Duo()
    answer = ask(duo, method, **more)
    assert answer.status == status
    if name is not None:
        assert answer.headers.get(name) == value
    assert not duo.bob.calls
    duo.finish()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("Application/SDP;charset=x", OFFER),
        (
            'multipart/mixed;boundary="cut here"',
            b"--cut here\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
            b"--cut here\r\nc: application/sdp\r\n\r\n" + OFFER + b"\r\n--cut here--\r\n",
        ),
    ],
)
def test_a_description_is_found_alone_or_in_company(content_type: str, body: bytes) -> None:
    duo = Duo()
    ask(duo, "INVITE", headers=[("content-type", content_type)], body=body)
    assert (duo.bob.calls[0].session.sdp or b"").startswith(OFFER)
    duo.bob.calls[0].session.end()
    duo.finish()


def test_a_body_that_may_be_ignored_is() -> None:
    duo = Duo()
    headers = [("content-type", "text/plain"), ("content-disposition", "x;handling=optional")]
    ask(duo, "INVITE", headers=headers, body=b"hello")
    assert duo.bob.calls[0].session.sdp is None
    duo.bob.calls[0].session.end()
    duo.finish()


def test_the_same_request_by_two_ways_is_taken_once() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: None
    duo.net.inject(HAND, BOB, wire("INVITE", branch="z9hG4bKa"))
    answer = ask(duo, "INVITE", branch="z9hG4bKb")
    assert answer.status == 482 and len(duo.bob.calls) == 1
    duo.bob.calls[0].session.end()
    duo.finish()


def test_admission_comes_before_everything_else() -> None:
    duo = Duo()
    seen: list[str] = []

    def admit(transaction: ServerTransaction) -> bool:
        seen.append(transaction.request.method)
        transaction.respond(make_response(transaction.request, 403))
        return True

    duo.bob.core.on_request = admit
    for number, method in enumerate(("INVITE", "OPTIONS", "FLY")):
        answer = ask(duo, method, branch=f"z9hG4bK{number}", call_id=f"c{number}")
        assert answer.status == 403
    assert seen == ["INVITE", "OPTIONS", "FLY"] and not duo.bob.calls
    duo.finish()


@pytest.mark.parametrize(
    ("uri", "headers"),
    [
        ("sip:bob@192.0.2.2", [("max-forwards", "0")]),
        ("tel:+4969123456", []),
        ("TEL:030-1234;phone-context=+49", []),
    ],
)
def test_what_has_arrived_is_taken_at_its_last_hop_and_by_its_number(
    uri: str, headers: list[tuple[str, str]]
) -> None:
    duo = Duo()
    answer = ask(duo, "INVITE", uri, [*headers, SDP], OFFER)
    assert answer.status < 300
    assert duo.bob.calls[0].session.request.uri == uri
    duo.bob.calls[0].session.end()
    duo.finish()


def test_requests_for_dialogs_that_there_are_not_leave_nothing_behind() -> None:
    duo = Duo()
    for number in range(200):
        to = f"<sip:b@x>;tag=guess{number}"
        duo.net.inject(HAND, BOB, wire("BYE", to=to, branch=f"z9hG4bK{number}"))
    duo.net.run(0.01)
    assert duo.net.messages(BOB) == ["481 BYE"] * 200
    assert duo.bob.core.transactions == len(duo.bob.node.timers) == 0


def test_a_call_that_nobody_waits_for_is_unavailable() -> None:
    duo = Duo()
    fresh = AgentCore(
        clock=duo.net.clock,
        timers=duo.bob.node.timers,
        send=duo.bob.node.send,
        local=duo.bob.node.local,
        contact=lambda destination: "sip:bob@192.0.2.2",
        user_agent="test",
    )
    duo.bob.node.attach(fresh)
    assert ask(duo, "INVITE").status == 603
    duo.net.run()
    assert fresh.sessions == fresh.transactions == 0


# Inside a dialog


def inside(duo: Duo, owner: Owner, method: str, *headers: tuple[str, str], cseq: int = 0) -> str:
    """Bob's answer to a request of Alice's that her session did not make."""
    dialog = owner.session.dialog
    assert dialog is not None
    via = ("via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}{cseq}{len(duo.net.sent)}")
    request = dialog.request(method, [via, *headers])
    if cseq:
        request.headers.set("cseq", f"{cseq} {method}")
    before = len(duo.net.sent)
    duo.net.inject(ALICE, BOB, request.encode())
    duo.net.run(0.01)
    return describe(duo.net.sent[before].message)


def test_requests_inside_a_call_get_their_answers() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    assert inside(duo, ours, "OPTIONS") == "200 OPTIONS"
    assert inside(duo, ours, "INFO", ("content-type", "application/dtmf")) == "200 INFO"
    assert theirs.one(InfoReceived) == InfoReceived("application/dtmf", b"")
    assert inside(duo, ours, "INFO", cseq=1) == "500 INFO"
    assert inside(duo, ours, "PRACK") == "481 PRACK"
    assert inside(duo, ours, "SUBSCRIBE") == "405 SUBSCRIBE"
    assert inside(duo, ours, "FLY") == "501 FLY"
    assert inside(duo, ours, "INFO", ("require", "magic")) == "420 INFO"
    assert theirs.end is None
    ours.session.bye()
    duo.finish()


def test_a_bad_body_inside_a_call_is_refused_and_the_call_goes_on() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    dialog = ours.session.dialog
    assert dialog is not None
    headers = [("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"), ("content-type", "text/plain")]
    duo.net.inject(ALICE, BOB, dialog.request("INVITE", headers, b"x").encode())
    duo.net.run(0.1)
    assert duo.alice.heard("415 INVITE")[0].headers.get("accept")
    assert theirs.all(Offered) == []
    ours.session.bye()
    duo.finish()


def test_info_goes_both_ways() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    assert ours.session.info("application/dtmf-relay", b"Signal=5\r\n")
    duo.net.run(1.0)
    assert theirs.one(InfoReceived).body == b"Signal=5\r\n"
    ours.session.bye()
    assert not ours.session.info("x/y", b"")
    duo.finish()


def test_requests_of_ours_that_are_unanswered_are_bounded() -> None:
    duo = Duo(alice=AgentSettings(max_requests=3))
    ours, _ = duo.established()
    duo.net.drop = lambda sent: describe(sent.message) == "INFO"
    assert [ours.session.info("x/y", b"") for _ in range(5)] == [True] * 3 + [False] * 2
    ours.session.bye()
    duo.finish()


def test_a_request_for_a_dialog_that_the_far_end_lost_ends_the_call() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    duo.bob.core._sessions.clear()
    ours.session.info("x/y", b"")
    duo.net.run(1.0)
    assert ours.end == Ended("failed", 481)
    theirs.session.end()
    duo.net.run()


# Requests of ours, and faults


def options(agent: Agent, answers: list[object], host: str = BOB[0], **more: Any) -> None:
    agent.core.request(
        "OPTIONS",
        f"sip:{host}",
        destination=Destination("udp", host, 5060),
        from_=NameAddr(agent.uri),
        to=NameAddr(f"sip:{host}"),
        on_response=answers.append,
        on_failure=answers.append,
        **more,
    )


def test_a_request_outside_of_calls_is_answered() -> None:
    duo = Duo()
    answers: list[object] = []
    options(duo.alice, answers)
    options(duo.alice, answers, "192.0.2.99")
    duo.finish()
    assert isinstance(answers[0], Response) and answers[0].status == 200
    assert answers[1:] == ["timeout"]


def test_an_owner_that_breaks_over_an_answer_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    duo = Duo()

    class Broken(list[object]):
        def append(self, item: object) -> None:
            raise RuntimeError

    options(duo.alice, Broken())
    duo.finish()
    assert "the owner of a SIP request broke" in caplog.text


def test_a_fault_of_the_agent_itself_is_answered_and_written_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    duo = Duo()

    def break_down(transaction: ServerTransaction) -> bool:
        raise RuntimeError

    duo.bob.core.on_request = break_down
    assert ask(duo, "INVITE").status == 500
    assert "a SIP request broke its handling" in caplog.text
    duo.finish()


def test_a_malformed_message_is_answered_and_the_agent_lives() -> None:
    duo = Duo()
    bad = wire("INVITE", cseq=1).replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE")
    duo.net.inject(HAND, BOB, bad)
    duo.net.inject(HAND, BOB, b"\x00\xff")
    duo.net.run(0.1)
    assert duo.net.messages(BOB)[0].startswith("400")
    ours, _ = duo.established()
    ours.session.bye()
    duo.finish()


def test_an_allow_header_that_cannot_be_read_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)
    duo.net.run(0.1)
    ringing = duo.alice.heard("180 INVITE")[0]
    ringing.headers.set("allow", '"')
    duo.net.inject(BOB, ALICE, ringing.encode())
    duo.net.run(0.1)
    assert ours.end is None and not caplog.records
    ours.session.end()
    duo.finish()


def test_a_secure_call_names_a_secure_contact() -> None:
    net = SipNet()
    duo = Duo(net)
    ours = Owner(
        duo.alice.core.invite(
            "sips:bob@192.0.2.2",
            destination=Destination("tls", *BOB),
            from_=NameAddr(duo.alice.uri),
            sdp=OFFER,
        )
    )
    net.run(1.0)
    answer = next(s.message for s in net.sent if describe(s.message) == "200 INVITE")
    assert (answer.headers.get("contact") or "").startswith("<sips:")
    assert duo.bob.calls[0].session.dialog is not None
    ours.session.bye()
    duo.finish()


def test_a_session_is_kept_while_its_bye_is_only_answered_provisionally() -> None:
    duo = Duo()
    ours, theirs = duo.established()
    theirs.session.received = lambda transaction: None  # type: ignore[method-assign]
    ours.session.bye()
    duo.net.run(10.0)
    assert duo.alice.heard("100 BYE") and duo.alice.core.sessions == 1
    duo.net.run(60.0)
    assert duo.alice.is_clean


def test_a_bye_in_an_early_dialog_does_not_stop_the_call() -> None:
    duo = Duo()
    duo.bob.behave = lambda owner: owner.session.ring()
    ours = duo.alice.invite(duo.bob)
    duo.net.run(0.1)
    theirs = duo.bob.calls[0]
    dialog = theirs.session.dialog
    assert dialog is not None
    via = ("via", "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKearly")
    duo.net.inject(BOB, ALICE, dialog.request("BYE", [via]).encode())
    duo.net.run(0.1)
    assert duo.bob.heard("200 BYE") and ours.end is None
    theirs.session.reject(486)
    duo.finish()
    assert ours.end is not None and ours.end.status == 486
