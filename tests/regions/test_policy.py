"""No tenant, order or gap in the rules lets data out of the intersection of the law."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.models import Catalogue, DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import Decision, allowed_set, failover
from tests.regions.worlds import CLASSES, LAWS, OPERATIONS, region, rule, tenants, world, worlds

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
