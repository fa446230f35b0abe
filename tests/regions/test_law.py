"""Two policies together allow what both allow: asked of the algebra, for every region."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from regions.catalogue import load_catalogue
from regions.law import both
from regions.models import DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import allowed_set

CATALOGUE = load_catalogue()
REGIONS = tuple(region.id for region in CATALOGUE.regions)
ATTRIBUTES = tuple(
    sorted({attribute for region in CATALOGUE.regions for attribute in region.attributes})
)
some = st.lists(st.sampled_from(REGIONS), max_size=6, unique=True).map(tuple)
NARROWINGS = st.builds(
    Narrowing,
    regions=st.none() | some,
    deny=some,
    attributes=st.lists(st.sampled_from(ATTRIBUTES), max_size=1).map(tuple),
)
POLICIES = st.builds(
    TenantPolicy,
    regions=st.none() | some,
    deny=some,
    attributes=st.lists(st.sampled_from(ATTRIBUTES), max_size=1).map(tuple),
    sectors=st.lists(
        st.sampled_from([sector.id for sector in CATALOGUE.sectors]), max_size=2, unique=True
    ).map(tuple),
    adequacy=st.booleans(),
    classes=st.dictionaries(st.sampled_from(DataClass), NARROWINGS, max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(
    POLICIES,
    POLICIES,
    st.sampled_from([law.id for law in CATALOGUE.jurisdictions]),
    st.sampled_from([DataClass.AUDIO, DataClass.TRANSCRIPT, DataClass.RECORDING]),
    st.sampled_from([Operation.PROCESS, Operation.STORE]),
)
def test_both_never_allows_what_one_refuses(
    one: TenantPolicy, other: TenantPolicy, law: str, data_class: DataClass, operation: Operation
) -> None:
    def allowed(policy: TenantPolicy) -> set[str]:
        on = date(2026, 11, 21)
        return {*allowed_set(CATALOGUE, (law,), policy, data_class, operation, on=on).allowed}

    together = allowed(both(one, other))
    assert together == allowed(both(other, one))
    assert together <= allowed(one) & allowed(other)
    if one.adequacy == other.adequacy and one.sectors == other.sectors:
        assert together == allowed(one) & allowed(other)
