"""What becomes of a call's ways out when its terms get narrower."""

from __future__ import annotations

import pytest

from edge.internal import Admitted
from edge.leaving import Notices
from edge.ledger import Ledger
from edge.outbound import Endpoint, Outbound, Pool
from edge.policy_live import Leaves
from edge.session.account import Notary
from edge.terms import Terms, regions_of
from regions.models import DataClass
from regions.providers import Operator, Provider, Providers
from tests.edge.session.parts import RECEIPTS
from tests.fakes.clock import FakeClock

EU, WEST = "eu-central-1", "eu-west-1"
KEPT = ("audio", "transcript", "variables")
IRISH = Provider(
    id="desk",
    purposes=("tool",),
    endpoints=("https://desk.example",),
    region=WEST,
    operator=Operator(name="Desk Ltd", country="IE"),
    data_classes=(DataClass.VARIABLES,),
)
DESK = Endpoint("desk", "https://desk.example", WEST, "tool", frozenset({DataClass.VARIABLES}))


class Words:
    moved, ended = "You are moved.", "The call has to end."


def caller(*regions: str) -> Admitted:
    return Admitted(
        session_id="s_" + "a" * 22,
        tenant="clinic",
        agent="reception",
        jurisdictions=("eea",),
        policy="2026-11-21.1#0123456789ab",
        regions=dict.fromkeys(KEPT, regions),
        resumed=False,
    )


@pytest.fixture
def terms() -> Terms:
    who, clock = caller(EU, WEST), FakeClock()
    ledger = Ledger(clock)
    outbound = Outbound(
        here=EU,
        allowed=regions_of(who),
        pool=Pool(),
        ledger=ledger,
        providers=Providers(providers=(IRISH,)),
    )
    notices: Notices = Words()
    return Terms(who, outbound, Notary(ledger, RECEIPTS, regions_of(who)), notices, clock, nothing)


async def nothing() -> None:
    raise AssertionError("nothing is to be destroyed yet")


def test_a_call_that_stays_goes_on_reaching_what_the_law_left_it(terms: Terms) -> None:
    terms.narrow(caller(EU, WEST))
    assert terms.outbound.verdict(DESK, DataClass.VARIABLES).allowed
    terms.narrow(caller(EU))
    assert not terms.outbound.verdict(DESK, DataClass.VARIABLES).allowed


def test_a_call_that_has_to_leave_reaches_nothing_not_even_where_it_may_go(terms: Terms) -> None:
    terms.leave(Leaves(caller(WEST), (WEST,), keeps=True, reason="the law"))
    verdict = terms.outbound.verdict(DESK, DataClass.VARIABLES)
    assert not verdict.allowed
    assert "may not be processed" in verdict.reason
