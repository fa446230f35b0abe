"""One law is in force at a time, and tokens are held to it and to the tenant's contract."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.admission import NEEDS, lawful_regions, verify_resume_token, verify_route_token
from edge.internal import Admitted
from edge.law import GRACE_SECONDS, LawInForce
from edge.problem import EdgeRefusal
from edge.session.resume import ResumeTokens
from regions.law import Law
from regions.models import DataClass, Narrowing, TenantPolicy
from regions.policy import day_of
from tests.edge.test_admission import CATALOGUE, EEA, EVERYBODY, NOW, OneKey
from tests.fakes.clock import FakeClock
from tests.fakes.law import in_force

EU, WEST = EEA
KEY = OneKey()
CLOCK = FakeClock(wall=NOW)
TOKENS = ResumeTokens(bytes(32), CLOCK)
TENANT = "demo-clinic"


def under(contract: TenantPolicy, tenant: str = TENANT, serial: int = 1) -> Law:
    """The shipped law with one contract."""
    return Law(CATALOGUE, MappingProxyType({tenant: contract}), serial=serial)


def by_route(law: LawInForce, region: str = EU, **claims: Any) -> Admitted:
    token = KEY.sign(**{"pol": law.now.policy} | claims)
    return verify_route_token(token, keys=KEY, now=NOW, region=region, law=law, tenancy=EVERYBODY)


def by_resume(law: LawInForce, recording: tuple[str, ...] = ()) -> Admitted:
    token, _ = TOKENS.issue(
        "s_" + "a" * 22,
        TENANT,
        "clinic-reception",
        EU,
        EEA,
        "2020-01-01.1#000000000000",
        ("eea",),
        60,
        recording=recording,
    )
    return verify_resume_token(token, tokens=TOKENS, now=NOW, region=EU, law=law, tenancy=EVERYBODY)


def code(refused: pytest.ExceptionInfo[EdgeRefusal]) -> str:
    return refused.value.code


@pytest.mark.parametrize("way", [by_route, by_resume])
def test_a_tightened_contract_binds_whoever_comes_and_whoever_comes_back(way: Any) -> None:
    kept = way(in_force(under(TenantPolicy(deny=(WEST,)))))
    assert {kept.regions[name] for name in NEEDS} == {(EU,)}
    for contract in (
        TenantPolicy(deny=(EU,)),
        TenantPolicy(regions=()),
        TenantPolicy(regions=(WEST,)),
    ):
        with pytest.raises(EdgeRefusal) as refused:
            way(in_force(under(contract)))
        assert code(refused) == "wrong_region"


@pytest.mark.parametrize("way", [by_route, by_resume])
def test_a_contract_binds_its_own_tenant_alone(way: Any) -> None:
    kept = way(in_force(under(TenantPolicy(regions=()), tenant="bank")))
    assert {kept.regions[name] for name in NEEDS} == {tuple(EEA)}


@pytest.mark.parametrize("way", [by_route, by_resume])
def test_callers_are_admitted_under_the_law_of_this_moment(way: Any) -> None:
    law = in_force(under(TenantPolicy()))
    assert way(law).policy == law.now.policy


def test_where_a_recording_may_be_is_a_question_of_its_own() -> None:
    """A call needs none, so a region without recordings still takes it."""
    lists = dict.fromkeys(("audio", "transcript", "variables", "recording"), EEA)
    law = in_force(Law(CATALOGUE))
    assert by_route(law, reg=lists).regions["recording"] == tuple(EEA)
    assert by_resume(law, recording=tuple(EEA)).regions["recording"] == tuple(EEA)
    nowhere = TenantPolicy(classes={DataClass.RECORDING: Narrowing(regions=())})
    law = in_force(under(nowhere))
    for kept in (by_route(law, reg=lists), by_resume(law, tuple(EEA))):
        assert kept.regions["recording"] == ()
        assert kept.regions["audio"] == tuple(EEA)


def test_a_session_that_could_not_be_recorded_cannot_when_it_is_resumed() -> None:
    assert by_resume(in_force(Law(CATALOGUE))).regions["recording"] == ()


def test_tokens_of_the_law_before_are_read_for_a_moment_and_open_nothing_that_it_closed() -> None:
    clock = FakeClock(wall=NOW)
    law = in_force(Law(CATALOGUE), clock)
    before = law.now.policy
    law.replace(under(TenantPolicy(deny=(WEST,))))
    kept = by_route(law, pol=before)
    assert {kept.regions[name] for name in NEEDS} == {(EU,)}
    with pytest.raises(EdgeRefusal) as refused:
        by_route(law, region=WEST, pol=before)
    assert code(refused) == "wrong_region"
    clock.advance(GRACE_SECONDS)
    with pytest.raises(EdgeRefusal) as refused:
        by_route(law, pol=before)
    assert code(refused) == "wrong_policy"
    assert by_route(law).regions["audio"] == (EU,)


def test_laws_that_follow_each_other_within_a_second_refuse_nobody_for_it() -> None:
    clock = FakeClock(wall=NOW)
    law = in_force(Law(CATALOGUE), clock)
    first = law.now.policy
    law.replace(under(TenantPolicy(deny=(WEST,)), serial=1))
    second = law.now.policy
    clock.advance(GRACE_SECONDS / 2)
    law.replace(under(TenantPolicy(regions=(EU, WEST)), serial=2))
    law.replace(under(TenantPolicy(deny=(WEST, "eu-north-1")), serial=3))
    for before in (first, second):
        assert by_route(law, pol=before).regions["audio"] == (EU,)
    clock.advance(GRACE_SECONDS / 2)
    assert by_route(law, pol=second).regions["audio"] == (EU,)
    with pytest.raises(EdgeRefusal) as refused:
        by_route(law, pol=first)
    assert code(refused) == "wrong_policy"


def test_a_token_of_a_newer_bundle_that_is_on_its_way_is_held_to_the_law_in_force() -> None:
    law = LawInForce(under(TenantPolicy(deny=(WEST,)), serial=3), CLOCK, follows=True)
    newer = "2027-01-01.1#cccccccccccc"
    kept = by_route(law, pol=newer, ser=4)
    assert {kept.regions[name] for name in NEEDS} == {(EU,)}
    assert kept.policy == law.now.policy
    for serial in (3, 2, None):
        with pytest.raises(EdgeRefusal) as refused:
            by_route(law, pol=newer, ser=serial)
        assert code(refused) == "wrong_policy"


def test_a_node_that_follows_nobody_takes_no_token_of_a_law_it_does_not_know() -> None:
    with pytest.raises(EdgeRefusal) as refused:
        by_route(in_force(Law(CATALOGUE)), pol="2027-01-01.1#cccccccccccc", ser=4)
    assert code(refused) == "wrong_policy"


def test_whoever_decides_is_told_of_a_new_law_when_it_is_in_force() -> None:
    law = in_force(Law(CATALOGUE))
    seen: list[tuple[int, int]] = []
    law.on_change.append(lambda new: seen.append((new.serial, law.now.serial)))
    law.replace(under(TenantPolicy(), serial=7))
    assert seen == [(7, 7)]


REGIONS = tuple(region.id for region in CATALOGUE.regions)
LISTS = st.lists(st.sampled_from(REGIONS), unique=True).map(tuple)
NARROWINGS = st.builds(
    Narrowing,
    regions=st.none() | LISTS,
    deny=LISTS,
    attributes=st.just(()) | st.just(("hipaa-baa",)),
)


@given(
    listed=st.dictionaries(st.sampled_from([*DataClass]), LISTS),
    jurisdictions=st.lists(
        st.sampled_from([law.id for law in CATALOGUE.jurisdictions] + ["atlantis"]), max_size=3
    ).map(tuple),
    narrowing=NARROWINGS,
    classes=st.dictionaries(st.sampled_from([*DataClass]), NARROWINGS),
)
def test_nothing_is_held_that_is_not_listed_or_that_a_contract_takes_away(
    listed: dict[DataClass, tuple[str, ...]],
    jurisdictions: tuple[str, ...],
    narrowing: Narrowing,
    classes: dict[DataClass, Narrowing],
) -> None:
    contract = TenantPolicy(
        regions=narrowing.regions,
        deny=narrowing.deny,
        attributes=narrowing.attributes,
        classes=classes,
    )
    on = day_of(NOW)
    kept = lawful_regions(listed, jurisdictions, under(contract), tenant=TENANT, on=on)
    alone = lawful_regions(listed, jurisdictions, Law(CATALOGUE), tenant=TENANT, on=on)
    for data_class, regions in kept.items():
        assert [name for name in alone[data_class] if name in regions] == list(regions)
        assert {*regions} <= {*listed.get(data_class, ())}
        for one in (narrowing, classes.get(data_class, Narrowing())):
            assert not {*regions} & {*one.deny}
            assert one.regions is None or {*regions} <= {*one.regions}
