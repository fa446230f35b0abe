"""The whole algebra, by combinations: law x sector x contract x class x operation x adequacy x day.

Each generated world is asked every question there is for one set of binding laws: the examples
times the questions are more than 10,000 combinations.
"""

from collections.abc import Iterator
from datetime import date
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from regions.models import Catalogue, DataClass, Operation, Region, Rule, TenantPolicy
from regions.policy import allowed_set, failover
from tests.regions.worlds import (
    CLASSES,
    DAYS,
    LAWS,
    OPERATIONS,
    SECTORS,
    dated_worlds,
    tenants,
)

SUBSETS: tuple[tuple[str, ...], ...] = ((), *((name,) for name in SECTORS), SECTORS)
QUESTIONS = tuple(product(SUBSETS, CLASSES, OPERATIONS, (False, True), DAYS))
WORLDS = 120
laws = st.lists(st.sampled_from(LAWS), min_size=1, max_size=3).map(tuple)


def test_there_are_ten_thousand_combinations() -> None:
    assert WORLDS * len(QUESTIONS) > 10_000


def law_lets(
    catalogue: Catalogue,
    law: str,
    found: Region,
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    on: date,
) -> bool:
    """What the law says, written once more and in another way: with sets of days."""

    def began(rule: Rule) -> bool:
        return (rule.valid_from or date.min) <= on

    def goes_on(rule: Rule) -> bool:
        return on <= (rule.valid_until or date.max)

    spoken = [r for r in catalogue.rules if r.binds(law, data_class, operation) and began(r)]
    recognised = {
        decision.recognises
        for decision in catalogue.adequacy
        if decision.jurisdiction == law
        and data_class in decision.classes
        and (decision.valid_from or date.min) <= on <= (decision.valid_until or date.max)
        and not set(decision.except_sectors) & set(tenant.sectors)
    }
    opened = tenant.adequacy and operation is Operation.PROCESS and found.jurisdiction in recognised
    return any(goes_on(r) for r in spoken) and all(
        r.admits(found) or (opened and r.unless_adequate and goes_on(r)) for r in spoken
    )


def sectors_let(
    catalogue: Catalogue,
    binding: tuple[str, ...],
    found: Region,
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    on: date,
) -> bool:
    return all(
        set(rule.attributes) <= set(found.attributes)
        and (rule.in_jurisdictions is None or found.jurisdiction in rule.in_jurisdictions)
        for rule in catalogue.sector_rules
        if rule.sector in tenant.sectors
        and (rule.jurisdiction is None or rule.jurisdiction in binding)
        and data_class in rule.classes
        and operation in rule.operations
        and (rule.valid_from or date.min) <= on
    )


def questions(
    tenant: TenantPolicy,
) -> Iterator[tuple[TenantPolicy, DataClass, Operation, date]]:
    for sectors, data_class, operation, adequacy, on in QUESTIONS:
        policy = tenant.model_copy(update={"sectors": sectors, "adequacy": adequacy})
        yield policy, data_class, operation, on


def answer(
    catalogue: Catalogue,
    binding: tuple[str, ...],
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    on: date,
) -> set[str]:
    return {*allowed_set(catalogue, binding, tenant, data_class, operation, on=on).allowed}


@settings(max_examples=WORLDS, deadline=None)
@given(st.data(), dated_worlds(), laws)
def test_the_outcome_is_the_intersection_whatever_is_combined(
    data: st.DataObject, catalogue: Catalogue, binding: tuple[str, ...]
) -> None:
    contract = data.draw(tenants(catalogue))
    order = data.draw(st.permutations(catalogue.regions))
    lost = order[: data.draw(st.integers(0, len(order)))]
    standing = tuple(found for found in catalogue.regions if found not in lost)
    failing = catalogue.model_copy(update={"regions": standing})
    for question in questions(TenantPolicy()):
        tenant, data_class, operation, on = question
        lawful = {
            found.id
            for found in catalogue.regions
            if all(law_lets(catalogue, law, found, *question) for law in binding)
            and sectors_let(catalogue, binding, found, *question)
        }
        assert answer(catalogue, binding, *question) == lawful
        narrowed = contract.model_copy(
            update={"sectors": tenant.sectors, "adequacy": tenant.adequacy}
        )
        left = answer(catalogue, binding, narrowed, data_class, operation, on)
        assert left <= lawful
        after = answer(failing, binding, narrowed, data_class, operation, on)
        assert after == left - {found.id for found in lost}, "a lost region let another in"


@settings(max_examples=WORLDS, deadline=None)
@given(dated_worlds(), laws, st.sampled_from(LAWS), st.sampled_from(SECTORS), st.data())
def test_nothing_that_binds_besides_adds_a_region(
    catalogue: Catalogue, binding: tuple[str, ...], law: str, sector: str, data: st.DataObject
) -> None:
    denied = data.draw(st.sampled_from(catalogue.regions)).id
    for tenant, data_class, operation, on in questions(TenantPolicy()):
        question = (data_class, operation, on)
        before = answer(catalogue, binding, tenant, *question)
        assert answer(catalogue, (*binding, law), tenant, *question) <= before
        more = tenant.model_copy(update={"sectors": (*tenant.sectors, sector)})
        assert answer(catalogue, binding, more, *question) <= before
        less = tenant.model_copy(update={"deny": (denied,)})
        assert answer(catalogue, binding, less, *question) == before - {denied}


@settings(max_examples=WORLDS, deadline=None)
@given(dated_worlds(), laws)
def test_adequacy_opens_recognised_places_for_processing_and_nothing_else(
    catalogue: Catalogue, binding: tuple[str, ...]
) -> None:
    for tenant, data_class, operation, on in questions(TenantPolicy()):
        if tenant.adequacy:
            home = tenant.model_copy(update={"adequacy": False})
            more = answer(catalogue, binding, tenant, data_class, operation, on) - answer(
                catalogue, binding, home, data_class, operation, on
            )
            assert operation is Operation.PROCESS or not more
            recognised = {decision.recognises for decision in catalogue.adequacy}
            assert {catalogue.region(name).jurisdiction for name in more} <= recognised


@settings(max_examples=WORLDS, deadline=None)
@given(dated_worlds(), laws)
def test_a_lapse_never_widens(catalogue: Catalogue, binding: tuple[str, ...]) -> None:
    """From one day to a later one, with nothing that begins between, no region is added."""
    parts = (*catalogue.rules, *catalogue.sector_rules, *catalogue.adequacy)
    for tenant, data_class, operation, on in questions(TenantPolicy()):
        for later in DAYS:
            if later > on and not any(p.valid_from and on < p.valid_from <= later for p in parts):
                question = (tenant, data_class, operation)
                assert answer(catalogue, binding, *question, later) <= answer(
                    catalogue, binding, *question, on
                )


@settings(max_examples=WORLDS, deadline=None)
@given(st.data(), dated_worlds(), laws)
def test_no_order_means_anything(
    data: st.DataObject, catalogue: Catalogue, binding: tuple[str, ...]
) -> None:
    turned = catalogue.model_copy(
        update={
            "rules": tuple(data.draw(st.permutations(catalogue.rules))),
            "sector_rules": catalogue.sector_rules[::-1],
            "adequacy": catalogue.adequacy[::-1],
        }
    )
    for tenant, data_class, operation, on in questions(TenantPolicy()):
        question = (data_class, operation, on)
        backwards = tenant.model_copy(update={"sectors": tenant.sectors[::-1]})
        assert answer(catalogue, binding, tenant, *question) == answer(
            turned, binding[::-1], backwards, *question
        )


@settings(max_examples=WORLDS, deadline=None)
@given(dated_worlds(), st.sampled_from(DAYS))
def test_a_failover_stays_under_the_law_of_the_lost_region(catalogue: Catalogue, on: date) -> None:
    for found in catalogue.regions:
        question = (TenantPolicy(), DataClass.AUDIO, Operation.PROCESS, on)
        others = failover(catalogue, found.id, on=on)
        assert {*others} == answer(catalogue, (found.jurisdiction,), *question) - {found.id}
