"""What a law means for what lies in a store: the same as for a live call, with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from edge.admission import HELD
from edge.policy_live import STORED, rule_live
from edge.policy_rest import rule_at_rest
from regions.law import Law
from regions.models import DataClass, Narrowing, TenantPolicy
from tests.edge.test_admission import CATALOGUE
from tests.edge.test_policy_live import EU, REGIONS, TENANT, TODAY, WEST, caller, under

BOTH = (EU, WEST)


def ruled(
    law: Law,
    laws: tuple[str, ...] = ("eea",),
    held: Mapping[DataClass, tuple[str, ...]] | None = None,
    on: dt.date = TODAY,
) -> dict[DataClass, str]:
    kept = dict.fromkeys(STORED, BOTH) if held is None else held
    return rule_at_rest(kept, laws, law, tenant=TENANT, region=EU, on=on)


def test_what_the_law_still_allows_stays() -> None:
    assert ruled(Law(CATALOGUE)) == {}


def test_a_contract_that_takes_the_region_takes_every_class_with_its_reason() -> None:
    assert ruled(under(TenantPolicy(deny=(EU,)))) == dict.fromkeys(
        STORED, "store: the tenant's contract denies this region"
    )


def test_one_class_may_be_outside_alone() -> None:
    narrowed = under(TenantPolicy(classes={DataClass.RECORDING: Narrowing(deny=(EU,))}))
    assert set(ruled(narrowed)) == {DataClass.RECORDING}
    assert ruled(narrowed, held={DataClass.TRANSCRIPT: BOTH}) == {}


def test_audio_that_may_not_be_heard_here_leaves_what_is_stored() -> None:
    assert ruled(under(TenantPolicy(classes={DataClass.AUDIO: Narrowing(deny=(EU,))}))) == {}


def test_a_law_without_the_region_keeps_everything_out() -> None:
    others = tuple(region for region in CATALOGUE.regions if region.id != EU)
    without = CATALOGUE.model_copy(update={"regions": others})
    assert set(ruled(Law(without)).values()) == {f"the law in force has no region {EU}"}


def test_a_region_that_was_never_allowed_is_outside() -> None:
    held = {DataClass.TRANSCRIPT: (WEST,)}
    assert ruled(Law(CATALOGUE), held=held) == {
        DataClass.TRANSCRIPT: f"its residency tag does not list {EU}"
    }


def test_nobodys_law_allows_nothing() -> None:
    (reason, *_) = ruled(Law(CATALOGUE), ("atlantis",)).values()
    assert reason.startswith("store: atlantis has no rule")


@given(
    laws=st.lists(
        st.sampled_from([each.id for each in CATALOGUE.jurisdictions]), min_size=1, unique=True
    ),
    denied=st.lists(st.sampled_from(REGIONS), unique=True, max_size=4),
    classes=st.lists(st.sampled_from(STORED), unique=True),
    on=st.dates(dt.date(2020, 1, 1), dt.date(2031, 1, 1)),
)
def test_it_is_ruled_on_as_a_live_call_is(
    laws: list[str], denied: list[str], classes: list[DataClass], on: dt.date
) -> None:
    law = Law(
        CATALOGUE,
        MappingProxyType(
            {
                TENANT: TenantPolicy(
                    classes={each: Narrowing(deny=tuple(denied)) for each in classes}
                )
            }
        ),
    )
    held = dict.fromkeys(HELD, BOTH)
    live = rule_live(
        caller({each.value: BOTH for each in HELD}, tuple(laws)), region=EU, law=law, on=on
    )
    outside = ruled(law, tuple(laws), held, on)
    assert set(outside) == {each for each in STORED if EU not in live.caller.regions[each.value]}
    assert all(outside.values())
