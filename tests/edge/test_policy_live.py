"""What a law means for a live call: nothing that it excludes is kept, and nothing is won back."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from edge.admission import HELD, NEEDS
from edge.internal import Admitted
from edge.policy_live import Leaves, Stays, rule_live
from regions.law import Law
from regions.models import Catalogue, DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import allowed_set
from tests.edge.test_admission import CATALOGUE, EEA

EU, WEST = EEA
TODAY = dt.date(2026, 11, 21)
TENANT = "demo-clinic"
REGIONS = tuple(region.id for region in CATALOGUE.regions)


def caller(
    regions: dict[str, tuple[str, ...]] | None = None, laws: tuple[str, ...] = ("eea",)
) -> Admitted:
    return Admitted(
        session_id="s_" + "a" * 22,
        tenant=TENANT,
        agent="clinic-reception",
        jurisdictions=laws,
        policy="2020-01-01.1#000000000000",
        regions=regions or {data_class.value: tuple(EEA) for data_class in HELD},
        resumed=False,
    )


def under(contract: TenantPolicy, catalogue: Catalogue = CATALOGUE) -> Law:
    return Law(catalogue, MappingProxyType({TENANT: contract}), serial=2)


def ruled(law: Law, who: Admitted | None = None, on: dt.date = TODAY) -> Stays | Leaves:
    return rule_live(who or caller(), region=EU, law=law, on=on)


def test_a_call_that_nothing_changed_for_goes_on_with_all_it_had() -> None:
    ruling = ruled(Law(CATALOGUE))
    assert isinstance(ruling, Stays)
    assert ruling.caller.regions == caller().regions
    assert ruling.caller.policy == CATALOGUE.policy


def test_a_region_that_is_taken_away_is_taken_from_every_class() -> None:
    ruling = ruled(under(TenantPolicy(deny=(WEST,))))
    assert isinstance(ruling, Stays)
    assert {*ruling.caller.regions.values()} == {(EU,)}
    assert WEST in ruling.reason


def test_a_call_whose_own_region_is_taken_away_leaves_for_the_others() -> None:
    ruling = ruled(under(TenantPolicy(deny=(EU,))))
    assert isinstance(ruling, Leaves)
    assert (ruling.regions, ruling.keeps) == ((WEST,), False)
    assert "audio, transcript, variables" in ruling.reason


def test_a_call_that_may_be_nowhere_leaves_for_nowhere() -> None:
    ruling = ruled(under(TenantPolicy(regions=())))
    assert isinstance(ruling, Leaves)
    assert ruling.regions == ()


def test_one_class_that_may_not_be_here_is_enough() -> None:
    for data_class in NEEDS:
        contract = TenantPolicy(classes={data_class: Narrowing(deny=(EU,))})
        ruling = ruled(under(contract))
        assert isinstance(ruling, Leaves), data_class
        assert data_class.value in ruling.reason
        assert ruling.keeps == (data_class is DataClass.AUDIO), "audio is not stored"


def test_a_recording_that_may_not_be_here_ends_no_call() -> None:
    contract = TenantPolicy(classes={DataClass.RECORDING: Narrowing(deny=(EU,))})
    ruling = ruled(under(contract))
    assert isinstance(ruling, Stays)
    assert ruling.caller.regions["recording"] == (WEST,)


def test_a_recording_that_may_not_be_kept_takes_the_keys_of_a_call_that_leaves_along() -> None:
    contract = TenantPolicy(
        classes={
            DataClass.AUDIO: Narrowing(deny=(EU,)),
            DataClass.RECORDING: Narrowing(deny=(EU,)),
        }
    )
    ruling = ruled(under(contract))
    assert isinstance(ruling, Leaves)
    assert not ruling.keeps
    never_had_one = caller({name.value: tuple(EEA) for name in NEEDS} | {"recording": ()})
    ruling = ruled(under(contract), never_had_one)
    assert isinstance(ruling, Leaves)
    assert ruling.keeps


def test_a_law_that_opens_more_opens_nothing_for_a_call_that_is_under_way() -> None:
    narrow = caller({name.value: (EU,) for name in HELD})
    ruling = ruled(Law(CATALOGUE), narrow)
    assert isinstance(ruling, Stays)
    assert ruling.caller.regions == narrow.regions


def test_another_tenants_contract_is_none_of_this_calls() -> None:
    law = Law(CATALOGUE, MappingProxyType({"bank": TenantPolicy(regions=())}))
    assert isinstance(ruled(law), Stays)


def test_a_rule_whose_last_day_is_over_ends_calls() -> None:
    rules = tuple(
        rule.model_copy(update={"valid_until": TODAY}) if rule.jurisdiction == "eea" else rule
        for rule in CATALOGUE.rules
    )
    law = Law(CATALOGUE.model_copy(update={"rules": rules}))
    assert isinstance(ruled(law, on=TODAY), Stays)
    assert isinstance(ruled(law, on=TODAY + dt.timedelta(days=1)), Leaves)


def test_a_law_that_does_not_know_the_place_or_the_callers_law_keeps_nothing() -> None:
    assert isinstance(ruled(Law(CATALOGUE), caller(laws=("atlantis",))), Leaves)
    assert isinstance(rule_live(caller(), region="nowhere-1", law=Law(CATALOGUE), on=TODAY), Leaves)


LISTS = st.lists(st.sampled_from(REGIONS), unique=True).map(tuple)
NARROWINGS = st.builds(
    Narrowing,
    regions=st.none() | LISTS,
    deny=LISTS,
    attributes=st.sampled_from([(), ("hipaa-baa",)]),
)
LAWS = st.lists(
    st.sampled_from([law.id for law in CATALOGUE.jurisdictions] + ["atlantis"]),
    min_size=1,
    max_size=2,
    unique=True,
).map(tuple)


@given(
    held=st.fixed_dictionaries({name.value: LISTS for name in HELD}),
    laws=LAWS,
    region=st.sampled_from([*REGIONS, "nowhere-1"]),
    contract=st.builds(
        TenantPolicy,
        regions=st.none() | LISTS,
        deny=LISTS,
        sectors=st.sampled_from([(), ("health",)]),
        adequacy=st.booleans(),
        classes=st.dictionaries(st.sampled_from([*DataClass]), NARROWINGS),
    ),
)
def test_no_call_keeps_what_the_law_in_force_excludes(
    held: dict[str, tuple[str, ...]],
    laws: tuple[str, ...],
    region: str,
    contract: TenantPolicy,
) -> None:
    law = under(contract)
    ruling = rule_live(caller(held, laws), region=region, law=law, on=TODAY)
    kept = ruling.caller.regions
    for data_class, operations in HELD.items():
        lawful = [
            {*allowed_set(CATALOGUE, laws, contract, data_class, operation, on=TODAY).allowed}
            for operation in operations
        ]
        here = kept[data_class.value]
        assert list(here) == [
            name for name in held[data_class.value] if all(name in each for each in lawful)
        ], "what it had, less what the law excludes, in its order"
    stays = all(region in kept[name.value] for name in NEEDS)
    assert isinstance(ruling, Stays) == stays
    if isinstance(ruling, Leaves):
        assert region not in ruling.regions
        assert all(place in kept[name.value] for place in ruling.regions for name in NEEDS)
        if ruling.keeps:
            for data_class in (DataClass.TRANSCRIPT, DataClass.VARIABLES):
                decision = allowed_set(
                    CATALOGUE, laws, contract, data_class, Operation.STORE, on=TODAY
                )
                assert region in decision.allowed or region not in held[data_class.value]
