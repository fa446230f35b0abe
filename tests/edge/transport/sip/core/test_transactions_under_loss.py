"""Many exchanges over a bad network: each ends, and then nothing is left."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest

from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transactions import (
    ClientTransaction,
    ServerTransaction,
    TransactionTimers,
)
from tests.edge.transport.sip.core.party import HERE, THERE, Asked, Party, make_request
from tests.fakes.sip_net import SipNet, Weather

BAD = Weather(loss=0.2, duplication=0.1, delay=(0.005, 0.4))


class Calls:
    """A caller that asks, cancels now and then, and a called party that answers in its own time."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.net = SipNet(seed=seed, weather=weather)
        self.random = random.Random(seed)
        self.here = Party(self.net, HERE)
        self.there = Party(self.net, THERE)
        self.there.behave = self.answer
        self.asked: list[Asked] = []

    def answer(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        assert not transaction.merged
        final = self.random.choice([200, 200, 404, 486, 603])

        def respond(status: int) -> None:
            transaction.respond(make_response(request, status))

        after = self.there.node.timers.after
        if request.method == "INVITE":
            transaction.on_cancel = lambda: respond(487)
            after(self.random.uniform(0, 1), lambda: respond(180))
            after(self.random.uniform(0, 20), lambda: respond(final))
            if final == 200:
                # Until the ACK, as a session does.
                for again in range(21, 30):
                    after(float(again), lambda: respond(200))
        else:
            after(self.random.choice([0.0, 0.1, 5.0]), lambda: respond(final))

    def place(self, number: int) -> None:
        method = self.random.choice(["INVITE", "INVITE", "BYE", "OPTIONS"])
        request = make_request(method, call_id=f"call-{number}")
        asked = self.here.ask(request, self.there.node.at())
        self.asked.append(asked)
        if method == "INVITE" and self.random.random() < 0.3:
            pause = self.random.uniform(0, 10)
            self.here.node.timers.after(pause, asked.transaction.cancel)

    def run(self, count: int) -> None:
        for number in range(count):
            self.place(number)
            self.net.run(self.random.uniform(0, 2))
        self.net.run()


def outcome(asked: Asked) -> str:
    """``final``, ``timeout`` or what else; never both."""
    finals = [status for status in asked.statuses if status >= 200]
    assert len({status < 300 for status in finals}) <= 1, "a 2xx and a refusal"
    assert len(asked.failures) + bool(finals) == 1, "each request ends in exactly one way"
    if finals and finals[0] >= 300:
        assert len(finals) == 1, "a refusal is told once"
    return "final" if finals else asked.failures[0]


@pytest.mark.parametrize("seed", range(200))
def test_with_a_fifth_lost_every_request_ends_in_one_way_and_nothing_is_left(seed: int) -> None:
    calls = Calls(seed, BAD)
    calls.run(8)
    outcomes = [outcome(asked) for asked in calls.asked]
    assert all(asked.transaction.terminated for asked in calls.asked)
    # Eleven tries, each a third lost: a timeout would be one in 200,000; an INVITE that rings has
    # but its answer's repetitions.
    assert outcomes.count("final") >= 7
    assert calls.here.is_clean and calls.there.is_clean
    assert calls.here.strays == [] and not len(calls.net.timers)


def test_each_request_reaches_the_user_once_however_often_it_is_sent() -> None:
    calls = Calls(1, BAD)
    calls.run(100)
    reached = [transaction.request.call_id for transaction in calls.there.asked]
    assert len(reached) == len(set(reached)) == 100


def test_without_loss_an_invite_is_sent_once() -> None:
    calls = Calls(2, Weather())
    calls.run(50)
    assert all(outcome(asked) == "final" for asked in calls.asked)
    invites = [asked for asked in calls.asked if asked.transaction.request.method == "INVITE"]
    assert calls.net.messages(HERE).count("INVITE") == len(invites) > 10


def test_after_a_thousand_exchanges_with_loss_memory_is_flat() -> None:
    calls = Calls(3, BAD)

    def exchange(count: int) -> None:
        calls.run(count)
        calls.asked.clear()
        for party in (calls.here, calls.there):
            party.asked.clear()
            party.acks.clear()
            party.node.heard.clear()
        calls.net.sent.clear()
        gc.collect()

    exchange(100)
    tracemalloc.start()
    try:
        exchange(100)
        before, _ = tracemalloc.get_traced_memory()
        exchange(1_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    alive = [o for o in gc.get_objects() if isinstance(o, ClientTransaction | ServerTransaction)]
    assert alive == []
    assert calls.here.is_clean and calls.there.is_clean
    assert after - before < 50_000


def test_a_flood_that_is_never_acknowledged_is_gone_after_64_t1() -> None:
    net = SipNet()
    there = Party(net, THERE, TransactionTimers(max_servers=500))
    there.behave = lambda t: t.respond(make_response(t.request, 401))
    for number in range(1_000):
        via = f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}"
        net.inject(HERE, THERE, make_request(via=via, call_id=str(number)).encode())
    net.run(1.0)
    assert there.layer.active == 500
    net.run()
    assert there.is_clean
