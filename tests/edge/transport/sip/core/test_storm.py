"""Random owners on a random network: every call ends on both sides, and nothing stays."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from edge.transport.sip.core.events import Answered, Offered, SessionEvent
from edge.transport.sip.core.flow import Transport
from edge.transport.sip.core.settings import AgentSettings
from tests.edge.transport.sip.core.duo import ANSWER, HELD, HOLD, OFFER, Duo, Owner
from tests.fakes.sip_net import SipNet, Weather

SEEDS = range(300)


class Chaos:
    """Does something at random with every session, at random times, then ends it."""

    def __init__(self, duo: Duo, chance: random.Random) -> None:
        self.duo = duo
        self.chance = chance
        self.owners: list[Owner] = []

    def take(self, owner: Owner) -> None:
        """Look after ``owner`` until it ends."""
        self.owners.append(owner)
        owner.react = lambda event: self._react(owner, event)
        for _ in range(self.chance.randrange(6)):
            self._later(self.chance.uniform(0, 20), lambda: self._act(owner))
        self._later(self.chance.uniform(0, 60), owner.session.end)

    def behave(self, owner: Owner) -> None:
        """Take a call that comes in."""
        self.take(owner)
        session = owner.session
        if self.chance.random() < 0.7:
            self._later(self.chance.uniform(0, 3), session.ring)
        if self.chance.random() < 0.4:
            self._later(self.chance.uniform(0, 3), lambda: session.ring(183, ANSWER))
        if self.chance.random() < 0.8:
            self._later(self.chance.uniform(0, 5), lambda: session.accept(ANSWER))
        else:
            self._later(self.chance.uniform(0, 5), lambda: session.reject(486))

    def _react(self, owner: Owner, event: SessionEvent) -> None:
        if isinstance(event, Answered):
            # Of a call with an offer this does nothing.
            self._later(self.chance.uniform(0, 1), lambda: owner.session.acknowledge(OFFER))
        if isinstance(event, Offered) and self.chance.random() < 0.8:
            self._later(self.chance.uniform(0, 1), lambda: owner.session.answer(HELD))
        elif isinstance(event, Offered) and self.chance.random() < 0.5:
            owner.session.refuse()

    def _act(self, owner: Owner) -> None:
        session = owner.session
        acts: list[Callable[[], object]] = [
            lambda: session.offer(HOLD),
            lambda: session.offer(OFFER),
            lambda: session.info("application/dtmf-relay", b"Signal=1\r\n"),
            lambda: session.refer("sip:carol@example.org"),
            lambda: session.cancel(),
            lambda: session.ring(),
            lambda: session.answer(HELD),
            lambda: session.refuse(),
            lambda: session.acknowledge(OFFER),
            lambda: session._negotiation.refresh(),
        ]
        self.chance.choice(acts)()

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        def fire() -> None:
            act()

        self.duo.net.timers.after(seconds, fire)


def run(seed: int) -> Duo:
    """One storm: five calls in either direction."""
    chance = random.Random(seed)
    weather = Weather(
        loss=chance.choice([0.0, 0.1, 0.3]),
        duplication=chance.choice([0.0, 0.1, 0.3]),
        delay=chance.choice([(0.01, 0.01), (0.0, 0.5), (0.0, 2.0)]),
    )
    settings = AgentSettings(session_expires=chance.choice([0, 90, 1800]), transfer_seconds=20.0)
    duo = Duo(SipNet(seed=seed, weather=weather), settings, settings)
    chaos = Chaos(duo, chance)
    duo.alice.behave = duo.bob.behave = chaos.behave
    for _ in range(5):
        caller, called = chance.sample([duo.alice, duo.bob], 2)
        sdp = chance.choice([OFFER, OFFER, None])
        transport: Transport = "udp" if chance.random() < 0.7 else "tcp"
        chaos.take(caller.invite(called, sdp, transport=transport))
        duo.net.run(chance.uniform(0, 3))
    duo.finish()
    for owner in chaos.owners:
        assert owner.end is not None, owner.events
    return duo


@pytest.mark.parametrize("block", range(10))
def test_every_call_ends_on_both_sides_and_nothing_stays(
    block: int, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in SEEDS[block::10]:
        run(seed)
        assert not caplog.records, (seed, [record.exc_text for record in caplog.records])
