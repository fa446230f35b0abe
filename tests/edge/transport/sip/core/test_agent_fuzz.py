"""Arbitrary well-formed messages, with the identities of live calls mixed in, never raise, and
leave nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.message import Headers, Message, Request, Response
from tests.edge.transport.sip.core.duo import ALICE, ANSWER, BOB, HELD, OFFER, Duo, Owner, accepts

HAND = ("192.0.2.9", 5060)
METHODS = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER"]
METHODS += ["NOTIFY", "MESSAGE", "FLY"]
HEADERS: dict[str, list[str]] = {
    "require": ["100rel", "timer", "magic", "replaces, ,", "100rel,timer"],
    "supported": ["100rel", "timer", "", "replaces"],
    "session-expires": ["90", "90;refresher=uas", "1;refresher=uac", "x", "99999999999", ";"],
    "min-se": ["90", "999999", "y", ""],
    "rack": ["1 1 INVITE", "x", "1", "4294967296 1 INVITE"],
    "rseq": ["1", "2", "x", "4294967295"],
    "replaces": ["a;to-tag=b;from-tag=c", "x", ";;"],
    "refer-to": ["<sip:c@x?Replaces=a%3Bto-tag%3Db>", "<tel:1>", "<", "sip:c@x"],
    "refer-sub": ["false", "true"],
    "event": ["refer", "refer;id=1", "presence", ""],
    "subscription-state": ["terminated", "active;expires=x", ";"],
    "record-route": ["<sip:p.example;lr>", "<sip:p.example>", "<tel:1>", "<", '"a" <sip:p;lr>'],
    "contact": ["<sip:n@192.0.2.9>", "<sip:n@192.0.2.3;transport=tcp>", "*", "<", "<sips:x@y>"],
    "content-type": ["application/sdp", "message/sipfrag", "multipart/mixed;boundary=b", "x", '"'],
    "content-encoding": ["gzip", "identity"],
    "content-disposition": ["session;handling=optional", '"'],
    "max-forwards": ["0", "70", "x"],
    "allow": ["INVITE, UPDATE", "invite", '"'],
    "www-authenticate": ['Digest realm="r", nonce="n"', "Digest", "Basic realm=x", '"'],
    "retry-after": ["1", "x"],
}
BODIES = [b"", OFFER, ANSWER, b"SIP/2.0 200 OK\r\n", b"SIP/2.0", b"--b\r\n\r\n", b"\xff\x00"]


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[str, object]]:
    """What happens, in order: messages made from pieces, time that passes, owners that act."""
    piece = st.sampled_from(sorted(HEADERS)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(HEADERS[name]))
    )
    message = st.fixed_dictionaries(
        {
            "method": st.sampled_from(METHODS),
            "status": st.sampled_from([0, 0, 0, 100, 180, 183, 200, 202, 302, 401, 422, 481, 491]),
            "headers": st.lists(piece, max_size=5),
            "body": st.sampled_from(BODIES),
            "cseq": st.sampled_from([-1, 0, 1, 1, 1, 2, 2**30]),
            "call": st.integers(0, 4),
            "swap": st.booleans(),
            "tags": st.sampled_from(["both", "none", "from", "odd"]),
            "like": st.integers(0, 30),
            "to": st.sampled_from(["alice", "bob"]),
        }
    )
    act = st.sampled_from(
        ["accept", "ring", "early", "offer", "answer", "refuse", "info", "refer", "end"]
    )
    step = st.one_of(
        st.tuples(st.just("message"), message),
        st.tuples(st.just("message"), message),
        st.tuples(st.just("time"), st.sampled_from([0.01, 0.6, 5.0, 40.0, 1000.0])),
        st.tuples(st.just("act"), st.tuples(act, st.integers(0, 9))),
    )
    return draw(st.lists(step, max_size=25))


class Theatre:
    """Two agents with a call between them, one ringing, and a stranger."""

    def __init__(self) -> None:
        rules = AgentSettings(allow_replaces=True, max_sessions=6, setup_seconds=90.0)
        self.duo = Duo(alice=rules, bob=rules)
        self.owners: list[Owner] = []
        self.duo.alice.behave = self.duo.bob.behave = self.owners.append
        self.owners.append(self.duo.alice.invite(self.duo.bob))
        self.owners.append(self.duo.bob.invite(self.duo.alice, sdp=None))
        self.duo.net.run(0.1)
        accepts(self.owners[-1])
        self.duo.net.run(0.1)

    def play(self, script: list[tuple[str, object]]) -> None:
        for kind, detail in script:
            if kind == "time":
                assert isinstance(detail, float)
                self.duo.net.run(detail)
            elif kind == "act":
                assert isinstance(detail, tuple)
                self._act(detail[0], self.owners[detail[1] % len(self.owners)])
            else:
                assert isinstance(detail, dict)
                self._send(detail)
        for owner in self.owners:
            owner.session.end()
        self.duo.finish()

    def _send(self, made: dict[str, object]) -> None:
        target = ALICE if made["to"] == "alice" else BOB
        data = self._message(made).encode()
        self.duo.net.inject(HAND, target, data)
        self.duo.net.run(0.01)

    def _message(self, made: dict[str, object]) -> Message:
        """Like a message that was sent, with pieces of its own."""
        sent = self.duo.net.sent
        like = sent[-1 - int(str(made["like"])) % len(sent)].message
        session = self.owners[int(str(made["call"])) % len(self.owners)].session
        ours, theirs = session.local_tag, session.remote_tag or "none"
        if made["swap"]:
            ours, theirs = theirs, ours
        # About the number that the far end would use next.
        known = session.dialog.remote_cseq if session.dialog is not None else None
        number = max((known or 0) + int(str(made["cseq"])), 0)
        tag = {"both": f";tag={ours}", "none": "", "from": "", "odd": ";tag=odd"}[str(made["tags"])]
        fields = [
            ("from", f"<sip:f@x>;tag={theirs}"),
            ("to", f"<sip:t@x>{tag}"),
            ("call-id", session.call_id),
            ("cseq", f"{min(number, 2**31 - 1)} {made['method']}"),
        ]
        headers = made["headers"]
        assert isinstance(headers, list)
        fields += headers
        body = made["body"]
        assert isinstance(body, bytes)
        status = int(str(made["status"]))
        if not status:
            via = f"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{len(sent)}"
            fields.insert(0, ("via", via))
            return Request(str(made["method"]), "sip:t@x", headers=Headers(fields), body=body)
        # As if the far end answered what it was sent last, in its own way.
        copied = [item for item in like.headers if item[0] in ("via", "from", "call-id", "cseq")]
        to = like.headers.get("to") or "<sip:t@x>"
        copied.append(("to", to if "tag=" in to else f"{to}{tag}"))
        return Response(status, "", headers=Headers([*copied, *headers]), body=body)

    def _act(self, what: str, owner: Owner) -> None:
        session = owner.session
        match what:
            case "accept":
                session.accept(ANSWER)
            case "ring":
                session.ring()
            case "early":
                session.ring(183, ANSWER)
            case "offer":
                session.offer(OFFER)
            case "answer":
                session.answer(HELD)
                session.acknowledge(ANSWER)
            case "refuse":
                session.refuse()
            case "info":
                session.info("x/y", b"z")
            case "refer":
                session.refer("sip:c@x", self.owners[0].session)
            case _:
                session.end()


@given(scripts())
@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nothing_that_arrives_raises_or_stays(
    caplog: pytest.LogCaptureFixture, script: list[tuple[str, object]]
) -> None:
    caplog.clear()

    Theatre().play(script)

    assert not caplog.records, [record.exc_text for record in caplog.records]
