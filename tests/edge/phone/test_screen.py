"""The first look at a request: trunks come past it, strangers hear 401, 403 or nothing."""

from __future__ import annotations

import pytest

from edge.logs import JsonFormatter, pseudonym
from edge.phone.screen import Screen
from edge.phone.trunk import Trunk
from edge.phone.trunks import Trunks
from edge.transport.sip.core.events import Ended
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.digest import Credentials
from tests.edge.phone.calling import Wires
from tests.edge.phone.parts import trunk
from tests.edge.transport.sip.core.duo import ANSWER

PASSWORD = "hard-to-guess"
BY_NETWORK = trunk("by-network", networks=("192.0.2.2/32",))
BY_PASSWORD = trunk(
    "by-password", networks=(), inbound_auth={"username": "roaming", "password_env": "P"}
)


class Guarded:
    """A node behind a screen; ``guests`` are the trunks whose calls came past it."""

    def __init__(self, *trunks: Trunk, algorithms: tuple[str, ...] = ("SHA-256", "MD5")) -> None:
        self.wires = Wires()
        self.guests: list[Trunk | None] = []
        self.screen = Screen(
            Trunks(trunks),
            {"roaming": PASSWORD},
            realm="here",
            algorithms=algorithms,
            clock=self.wires.net.clock,
        )
        core = self.wires.node.core
        core.on_request, core.on_invite = self._look, self._invited

    def call(self, credentials: Credentials | None = None) -> Ended | None:
        caller = self.wires.carrier.invite(self.wires.node, credentials=credentials)
        self.wires.net.run(1.0)
        caller.session.end()
        self.wires.net.run(1.0)
        return caller.end

    @property
    def answers(self) -> list[str]:
        return self.wires.net.messages(self.wires.node.address)

    def _look(self, transaction: ServerTransaction) -> bool:
        return self.screen.answered(transaction)

    def _invited(self, session: Session) -> None:
        self.guests.append(self.screen.guest)
        session.accept(ANSWER)


def test_a_trunk_comes_past_by_its_network() -> None:
    guarded = Guarded(BY_NETWORK, BY_PASSWORD)
    guarded.call()
    assert guarded.guests == [BY_NETWORK]
    assert "401 INVITE" not in guarded.answers


@pytest.mark.parametrize(
    ("credentials", "answers", "guests"),
    [
        (Credentials("roaming", PASSWORD), ["401 INVITE", "200 INVITE"], [BY_PASSWORD]),
        (Credentials("roaming", "a guess"), ["401 INVITE", "403 INVITE"], []),
        (Credentials("nobody", PASSWORD), ["401 INVITE", "403 INVITE"], []),
        (None, ["401 INVITE"], []),
    ],
)
def test_a_trunk_without_a_network_proves_itself(
    credentials: Credentials | None, answers: list[str], guests: list[Trunk]
) -> None:
    guarded = Guarded(BY_PASSWORD)
    guarded.call(credentials)
    said = [answer for answer in guarded.answers if answer.endswith("INVITE")]
    assert [answer for answer in said if not answer.startswith("100")] == answers
    assert guarded.guests == guests


def test_a_stranger_is_forbidden_where_no_password_would_help() -> None:
    guarded = Guarded(trunk("elsewhere"))
    end = guarded.call()
    assert end is not None
    assert end.status == 403
    assert guarded.screen.guest is None


def test_a_stranger_is_logged_by_a_pseudonym(caplog: pytest.LogCaptureFixture) -> None:
    guarded = Guarded(trunk("elsewhere"))
    with caplog.at_level("INFO", "edge.phone.screen"):
        guarded.call()
    address = guarded.wires.net.sent[0].source[0]
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert pseudonym(address) in line
    assert address not in line


def test_a_stranger_who_keeps_trying_is_not_answered_any_more() -> None:
    guarded = Guarded(trunk("elsewhere"))
    for _ in range(40):
        guarded.wires.carrier.invite(guarded.wires.node)
    guarded.wires.net.run(0.3)
    assert 0 < guarded.answers.count("403 INVITE") < 40
    assert guarded.wires.node.core.transactions == 0, "nothing is kept of a stranger"


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5",)])
def test_the_challenge_is_by_the_digests_of_the_settings_in_order(
    algorithms: tuple[str, ...],
) -> None:
    guarded = Guarded(BY_PASSWORD, algorithms=algorithms)
    guarded.call(Credentials("roaming", PASSWORD))
    assert guarded.guests == [BY_PASSWORD]
    challenged = next(
        sent.message for sent in guarded.wires.net.sent if sent.source == ("192.0.2.1", 5060)
    )
    challenges = challenged.headers.lines("www-authenticate")
    assert len(challenges) == len(algorithms)
    for algorithm, challenge in zip(algorithms, challenges, strict=True):
        assert f"algorithm={algorithm}" in challenge
        assert 'realm="here"' in challenge
