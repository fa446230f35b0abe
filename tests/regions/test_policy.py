"""No tenant, order or gap in the rules lets data out of the intersection of the law."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.models import Catalogue, DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import Decision, allowed_set, day_of, failover
from tests.regions.worlds import (
    CLASSES,
    LAWS,
    OPERATIONS,
    adequacy,
    region,
    rule,
    sector_rule,
    tenants,
    world,
    worlds,
)

laws = st.lists(st.sampled_from([*LAWS, "unheard-of"]), max_size=4)
classes = st.sampled_from(CLASSES)
operations = st.sampled_from(OPERATIONS)

ANYONE = TenantPolicy()
TODAY = date(2026, 11, 21)
TWO = world(
    (region("ra", "la", ("dedicated",)), region("rb", "lb")),
    (rule("la", inside=("la", "lb"), reason="a is generous"), rule("lb", inside=("lb",))),
)


def audio(catalogue: Catalogue, laws: tuple[str, ...], tenant: TenantPolicy = ANYONE) -> Decision:
    return allowed_set(catalogue, laws, tenant, DataClass.AUDIO, Operation.PROCESS, on=TODAY)


@given(st.data(), worlds(), laws, classes, operations)
def test_the_result_never_leaves_the_intersection(
    data: st.DataObject,
    catalogue: Catalogue,
    binding: list[str],
    data_class: DataClass,
    operation: Operation,
) -> None:
    tenant = data.draw(tenants(catalogue))
    decision = allowed_set(catalogue, binding, tenant, data_class, operation, on=TODAY)
    expected = {found.id for found in catalogue.regions} if binding else set()
    for law in binding:
        spoken = [r for r in catalogue.rules if r.binds(law, data_class, operation)]
        expected &= {
            found.id
            for found in catalogue.regions
            if spoken and all(r.admits(found) for r in spoken)
        }
    assert {*decision.allowed} <= expected
    if tenant == ANYONE:
        assert {*decision.allowed} == expected


@given(st.data(), worlds(), laws, classes, operations)
def test_a_tenant_never_widens(
    data: st.DataObject,
    catalogue: Catalogue,
    binding: list[str],
    data_class: DataClass,
    operation: Operation,
) -> None:
    tenant = data.draw(tenants(catalogue))
    wide = allowed_set(catalogue, binding, ANYONE, data_class, operation, on=TODAY)
    narrow = allowed_set(catalogue, binding, tenant, data_class, operation, on=TODAY)
    assert {*narrow.allowed} <= {*wide.allowed}
    found = data.draw(st.sampled_from(catalogue.regions))
    more = tenant.model_copy(update={"deny": (*tenant.deny, found.id)})
    denied = allowed_set(catalogue, binding, more, data_class, operation, on=TODAY)
    assert {*denied.allowed} == {*narrow.allowed} - {found.id}


@given(worlds(), laws, st.sampled_from(LAWS), classes, operations)
def test_one_more_binding_law_never_widens(
    catalogue: Catalogue, binding: list[str], law: str, data_class: DataClass, operation: Operation
) -> None:
    if binding:
        before = allowed_set(catalogue, binding, ANYONE, data_class, operation, on=TODAY)
        after = allowed_set(catalogue, [*binding, law], ANYONE, data_class, operation, on=TODAY)
        assert {*after.allowed} <= {*before.allowed}


@given(st.data(), worlds(), laws, classes, operations)
def test_the_order_of_jurisdictions_means_nothing(
    data: st.DataObject,
    catalogue: Catalogue,
    binding: list[str],
    data_class: DataClass,
    operation: Operation,
) -> None:
    shuffled = data.draw(st.permutations(binding * 2))
    assert allowed_set(catalogue, binding, ANYONE, data_class, operation, on=TODAY) == allowed_set(
        catalogue, shuffled, ANYONE, data_class, operation, on=TODAY
    )


@given(worlds(), laws, classes, operations)
def test_every_region_comes_back_with_a_reason_in_the_order_of_the_catalogue(
    catalogue: Catalogue, binding: list[str], data_class: DataClass, operation: Operation
) -> None:
    decision = allowed_set(catalogue, binding, ANYONE, data_class, operation, on=TODAY)
    assert [v.region for v in decision.verdicts] == [found.id for found in catalogue.regions]
    assert all(verdict.reason for verdict in decision.verdicts)
    assert decision.allowed == tuple(v.region for v in decision.verdicts if v.allowed)


def test_no_jurisdiction_denies_everything() -> None:
    decision = audio(TWO, ())
    assert decision.allowed == ()
    assert decision.verdicts[0].reason == "no jurisdiction is known, so nothing is allowed"


def test_no_rule_denies() -> None:
    decision = audio(TWO, ("la", "lc"))
    assert decision.allowed == ()
    assert decision.verdicts[0].reason == "lc has no rule that lets anyone process audio"


def test_a_rule_for_another_class_or_operation_allows_nothing() -> None:
    assert (
        allowed_set(TWO, ("la",), ANYONE, DataClass.METRICS, Operation.PROCESS, on=TODAY).allowed
        == ()
    )
    assert (
        allowed_set(TWO, ("la",), ANYONE, DataClass.AUDIO, Operation.EXPORT, on=TODAY).allowed == ()
    )


def test_two_laws_allow_what_both_allow() -> None:
    decision = audio(TWO, ("la", "lb"))
    assert decision.allowed == ("rb",)
    assert decision.jurisdictions == ("la", "lb")
    assert [verdict.reason for verdict in decision.verdicts] == [
        "in land la: so says the law (a section)",
        "in land lb: a is generous (a section); so says the law (a section)",
    ]


def test_of_two_rules_for_the_same_data_both_bind() -> None:
    both = world(TWO.regions, (*TWO.rules, rule("la", regions=("ra",))))
    assert audio(both, ("la",)).allowed == ("ra",)


def test_a_rule_with_an_empty_list_denies_with_its_reason() -> None:
    none = world(TWO.regions, (rule("la", regions=(), reason="audio is banned"),))
    assert audio(none, ("la",)).verdicts[0].reason == "in land la: audio is banned (a section)"
    assert audio(none, ("la",)).allowed == ()


def test_failover_is_what_the_law_of_the_place_allows_and_nearest_first() -> None:
    near, far, alone = (
        region(name, law).model_copy(update={"longitude": at})
        for name, law, at in (("near", "la", 10.0), ("far", "la", 90.0), ("alone", "lb", 1.0))
    )
    home = region("home", "la")
    known = world(
        (far, alone, home, near), (rule("la", inside=("la",)), rule("lb", inside=("lb",)))
    )
    assert failover(known, "home", on=TODAY) == ("near", "far")
    assert failover(known, "alone", on=TODAY) == ()
    with pytest.raises(KeyError):
        failover(known, "moon", on=TODAY)


def test_the_tenant_keeps_regions_out_and_says_how() -> None:
    for tenant, reason in (
        (TenantPolicy(regions=()), "the tenant's contract does not list this region"),
        (TenantPolicy(deny=("rb",)), "the tenant's contract denies this region"),
        (
            TenantPolicy(attributes=("dedicated", "x")),
            "the tenant's contract requires dedicated, x",
        ),
        (
            TenantPolicy(classes={DataClass.AUDIO: Narrowing(deny=("rb",))}),
            "the tenant's contract denies this region",
        ),
    ):
        verdict = audio(TWO, ("lb",), tenant).verdicts[1]
        assert not verdict.allowed
        assert verdict.reason == reason


def test_a_narrowing_of_one_class_leaves_the_others_alone() -> None:
    tenant = TenantPolicy(classes={DataClass.TRANSCRIPT: Narrowing(deny=("rb",))})
    assert audio(TWO, ("lb",), tenant).allowed == ("rb",)


def test_a_tenant_cannot_list_its_way_past_the_law() -> None:
    assert audio(TWO, ("lb",), TenantPolicy(regions=("ra", "rb"))).allowed == ("rb",)


BEFORE, LAST, AFTER = date(2026, 5, 31), date(2026, 6, 30), date(2026, 7, 1)
REGIONS = (region("ra", "la"), region("rb", "lb", ("hipaa-baa",)), region("rc", "lc"))


def on_day(catalogue: Catalogue, on: date, tenant: TenantPolicy = ANYONE) -> Decision:
    return allowed_set(catalogue, ("la",), tenant, DataClass.AUDIO, Operation.PROCESS, on=on)


def test_a_permission_ends_with_its_last_day() -> None:
    known = world(REGIONS, (rule("la", inside=("la",), term=(None, LAST)),))
    assert on_day(known, LAST).allowed == ("ra",)
    decision = on_day(known, AFTER)
    assert decision.allowed == ()
    words = "la lets nobody process audio since its rules lapsed after 2026-06-30"
    assert decision.verdicts[0].reason == words


def test_a_permission_begins_on_its_first_day() -> None:
    known = world(REGIONS, (rule("la", inside=("la",), term=(LAST, None)),))
    assert on_day(known, BEFORE).allowed == ()
    assert on_day(known, LAST).allowed == ("ra",)


def test_what_a_lapsed_rule_kept_out_stays_out() -> None:
    wide = rule("la", inside=("la", "lb"))
    narrow = rule("la", inside=("la",), term=(None, LAST), reason="for now")
    known = world(REGIONS, (wide, narrow))
    assert on_day(known, AFTER).allowed == on_day(known, BEFORE).allowed == ("ra",)
    words = "for now (a section); it lapsed after 2026-06-30, and keeps out still"
    assert on_day(known, AFTER).verdicts[1].reason == f"in land lb: {words}"


def test_a_rule_that_follows_another_takes_over_and_cannot_widen() -> None:
    first = rule("la", inside=("la",), term=(None, LAST))
    second = rule("la", inside=("la", "lb"), term=(AFTER, None))
    known = world(REGIONS, (first, second))
    assert on_day(known, LAST).allowed == on_day(known, AFTER).allowed == ("ra",)
    assert on_day(world(REGIONS, (second,)), AFTER).allowed == ("ra", "rb")


def test_a_sector_s_rule_binds_on_after_its_last_day() -> None:
    home = rule("la", inside=("la", "lb"))
    trade = sector_rule("health", "la", attributes=("hipaa-baa",), term=(LAST, LAST))
    known = world(REGIONS, (home,), (trade,))
    health = TenantPolicy(sectors=("health",))
    assert on_day(known, BEFORE, health).allowed == ("ra", "rb")
    for day in (LAST, AFTER):
        assert on_day(known, day, health).allowed == ("rb",)
    words = "sector health requires hipaa-baa: so says the trade (a standard)"
    assert on_day(known, AFTER, health).verdicts[0].reason == words
    assert on_day(known, AFTER).allowed == ("ra", "rb")


def test_a_sector_s_rule_for_one_law_leaves_callers_under_others_alone() -> None:
    trade = sector_rule("health", "lc", inside=("lc",))
    everyone = sector_rule("payments", inside=("lc",))
    known = world(REGIONS, (rule("la", inside=("la",)),), (trade, everyone))
    assert on_day(known, LAST, TenantPolicy(sectors=("health",))).allowed == ("ra",)
    refused = on_day(known, LAST, TenantPolicy(sectors=("payments",)))
    assert refused.verdicts[0].reason.startswith("sector payments keeps its data elsewhere")


ADEQUATE = TenantPolicy(adequacy=True)
HOME = rule("la", inside=("la",), unless_adequate=True, operations=tuple(Operation))


def test_adequacy_is_for_who_asks_for_it_and_for_processing() -> None:
    known = world(REGIONS, (HOME,), adequacy=(adequacy("la", "lb", term=(BEFORE, LAST)),))
    assert on_day(known, LAST).allowed == ("ra",)
    decision = on_day(known, LAST, ADEQUATE)
    assert decision.allowed == ("ra", "rb")
    assert decision.verdicts[1].reason == "in land lb: found adequate by la (a decision)"
    for day in (date(2026, 5, 30), AFTER):
        assert on_day(known, day, ADEQUATE).allowed == ("ra",)
    for operation in (Operation.STORE, Operation.REPLICATE, Operation.EXPORT):
        kept = allowed_set(known, ("la",), ADEQUATE, DataClass.AUDIO, operation, on=LAST)
        assert kept.allowed == ("ra",)


def test_adequacy_opens_no_rule_that_has_another_reason_and_none_that_lapsed() -> None:
    decisions = (adequacy("la", "lb"),)
    localised = rule("la", inside=("la",))
    lapsed = rule("la", inside=("la",), unless_adequate=True, term=(None, BEFORE))
    for other in (localised, lapsed):
        known = world(REGIONS, (HOME, other), adequacy=decisions)
        assert on_day(known, LAST, ADEQUATE).allowed == ("ra",)


def test_adequacy_is_neither_mutual_nor_handed_on() -> None:
    known = world(
        REGIONS,
        tuple(rule(law, inside=(law,), unless_adequate=True) for law in ("la", "lb", "lc")),
        adequacy=(adequacy("lb", "la"), adequacy("lb", "lc"), adequacy("la", "lb")),
    )
    assert on_day(known, LAST, ADEQUATE).allowed == ("ra", "rb")


def test_a_sector_that_a_decision_leaves_out_cannot_use_it() -> None:
    known = world(REGIONS, (HOME,), adequacy=(adequacy("la", "lb", but=("payments",)),))
    bank = TenantPolicy(adequacy=True, sectors=("payments",))
    assert on_day(known, LAST, bank).allowed == ("ra",)


def test_a_decision_says_by_which_policy_and_for_which_day() -> None:
    decision = on_day(TWO, LAST)
    assert (decision.policy, decision.on) == (TWO.policy, LAST)


def test_the_day_is_that_of_utc() -> None:
    assert day_of(1_767_225_599.9) == date(2025, 12, 31)
    assert day_of(1_767_225_600) == date(2026, 1, 1)
