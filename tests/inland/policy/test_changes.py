"""A bundle's changes are what the algebra says before and after, and nothing is left out."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

from hypothesis import given, settings

from inland.policy.changes import Change, changes, places, replica_keys
from inland.policy.report import data_of, warning, wider
from regions.bundle import Body
from regions.law import UNBOUND
from regions.models import DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import allowed_set
from tests.control_plane.bundles import changed, without
from tests.control_plane.helpers import CATALOGUE
from tests.regions.test_law import POLICIES

TODAY = date(2026, 11, 21)
KINDS = [(data_class, operation) for data_class in DataClass for operation in Operation]


def body(**parts: Any) -> Body:
    said: dict[str, Any] = {"serial": 1, "issued_at": 0, "catalogue": CATALOGUE}
    return Body(**(said | parts))


def contract(policy: TenantPolicy) -> Body:
    return body(contracts={"bank": policy})


def of(old: Body, new: Body) -> list[Change]:
    return list(changes(old, new, on=TODAY))


@settings(max_examples=20, deadline=None)
@given(POLICIES, POLICIES)
def test_what_one_bundle_allows_and_the_changes_make_what_the_other_allows(
    one: TenantPolicy, other: TenantPolicy
) -> None:
    found = {
        (change.subject.words, change.data_class, change.operation): change
        for change in of(contract(one), contract(other))
    }
    for law in CATALOGUE.jurisdictions:
        for kind in KINDS:
            had, has = (
                {*allowed_set(CATALOGUE, (law.id,), policy, *kind, on=TODAY).allowed}
                for policy in (one, other)
            )
            change = found.pop((law.id, *kind), None)
            loses, wins = (set(change.loses), set(change.wins)) if change else (set(), set())
            assert (loses, wins) == (had - has, has - had)
    assert found == {}


def test_a_tightened_contract_loses_and_nothing_is_wider() -> None:
    tight = TenantPolicy(classes={DataClass.RECORDING: Narrowing(deny=("eu-west-1",))})
    found = of(contract(UNBOUND), contract(tight))
    assert {(c.tenant, c.subject.words, c.loses, c.wins) for c in found} == {
        ("bank", "eea", ("eu-west-1",), ())
    }
    assert data_of(found) == "recording: process, store, replicate"
    assert not wider(found)
    assert warning(found) == ""


def test_a_contract_that_is_gone_is_a_widening() -> None:
    found = of(contract(TenantPolicy(deny=("eu-west-1",))), body())
    assert wider(found)
    assert warning(found) == "WIDER than before: bank under eea: eu-west-1"


def test_a_tenant_without_contract_is_asked_about_when_the_catalogue_changes() -> None:
    found = of(body(), body(catalogue=without("eu-west-3")))
    assert {change.tenant for change in found} == {None}
    assert {change.loses for change in found} == {("eu-west-3",)}


def test_a_country_that_another_law_binds_is_compared_by_its_callers() -> None:
    moved = tuple(
        law.model_copy(
            update={
                "countries": tuple(c for c in law.countries if c != "IE")
                + (("IE",) if law.id == "uk" else ())
            }
        )
        for law in CATALOGUE.jurisdictions
    )
    regions = tuple(region for region in CATALOGUE.regions if region.country != "IE")
    found = of(
        body(catalogue=without("eu-west-1")),
        body(catalogue=changed(jurisdictions=moved, regions=regions, aliases=())),
    )
    irish = [change for change in found if change.subject.words == "IE (eea to uk)"]
    assert {change.wins for change in irish} == {("eu-west-2",)}
    assert "eu-central-1" in irish[0].loses
    assert irish == found


def test_callers_whom_no_law_binds_any_more_lose_everything() -> None:
    fewer = tuple(
        law.model_copy(update={"countries": tuple(c for c in law.countries if c != "MT")})
        for law in CATALOGUE.jurisdictions
    )
    found = of(body(), body(catalogue=changed(jurisdictions=fewer)))
    assert {(c.subject.words, c.wins) for c in found} == {("MT (eea to no law)", ())}
    assert "eu-central-1" in found[0].loses
    back = of(body(catalogue=changed(jurisdictions=fewer)), body())
    assert {(c.subject.words, c.loses) for c in back} == {("MT (no law to eea)", ())}


def test_tenants_that_end_alike_are_compared_with_where_each_began() -> None:
    old = {"bank": TenantPolicy(deny=("eu-west-1",)), "clinic": TenantPolicy(deny=("eu-west-3",))}
    found = of(body(contracts=old), body(contracts=dict.fromkeys(old, TenantPolicy())))
    assert {(c.tenant, c.wins) for c in found} == {
        ("bank", ("eu-west-1",)),
        ("clinic", ("eu-west-3",)),
    }


def test_a_region_that_is_another_place_now_is_noted() -> None:
    moved = tuple(
        region.model_copy(update={"attributes": ("pci",)}) if region.id == "eu-west-2" else region
        for region in CATALOGUE.regions
    )
    assert [*places(CATALOGUE, changed(regions=moved))] == [
        "eu-west-2: attributes none becomes pci"
    ]
    assert [*places(CATALOGUE, CATALOGUE)] == []


def test_replica_keys_that_come_go_and_change_are_noted() -> None:
    one, other = (base64.b64encode(bytes([n]) * 32) for n in (1, 2))
    old = body(replica_keys={"eu-west-1": one, "eu-west-2": one, "eu-west-3": one})
    new = body(replica_keys={"eu-west-1": other, "eu-west-3": one, "eu-north-1": one})
    assert [*replica_keys(old, new)] == [
        "replica key of eu-north-1 is added",
        "replica key of eu-west-1 changes",
        "replica key of eu-west-2 is taken away",
    ]
