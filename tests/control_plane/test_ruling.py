from __future__ import annotations

from datetime import date, timedelta

from control_plane.ruling import CALL, Rulings, rule
from control_plane.tenants import Agent, Tenant
from regions.law import Law
from regions.models import DataClass, Narrowing, TenantPolicy
from tests.control_plane.helpers import CATALOGUE, EEA

TODAY = date(2026, 11, 21)
BUT_IRELAND = tuple(region for region in EEA if region != "eu-west-1")


def test_a_european_call_is_allowed_in_europe_and_nowhere_else_with_a_reason_for_each() -> None:
    ruling = rule(CATALOGUE, ("eea",), TenantPolicy(), on=TODAY)
    assert ruling.allowed == EEA
    assert {v.region for v in ruling.verdicts} == {region.id for region in CATALOGUE.regions}
    assert all(verdict.reason for verdict in ruling.verdicts)


def test_no_jurisdiction_allows_nothing() -> None:
    ruling = rule(CATALOGUE, (), TenantPolicy(), on=TODAY)
    assert ruling.allowed == ()
    assert all(regions == () for regions in ruling.classes.values())


def test_two_laws_that_do_not_meet_allow_nothing() -> None:
    assert rule(CATALOGUE, ("eea", "in"), TenantPolicy(), on=TODAY).allowed == ()


def test_a_region_that_may_not_have_the_transcript_may_not_take_the_call() -> None:
    tenant = TenantPolicy(classes={DataClass.TRANSCRIPT: Narrowing(deny=("eu-west-1",))})
    ruling = rule(CATALOGUE, ("eea",), tenant, on=TODAY)
    assert ruling.allowed == BUT_IRELAND
    refused = next(v for v in ruling.verdicts if v.region == "eu-west-1")
    assert not refused.allowed
    assert "denies" in refused.reason
    assert all(ruling.classes[data_class] == BUT_IRELAND for data_class in CALL)


def test_a_region_without_recording_still_takes_the_call_and_is_not_listed_for_recordings() -> None:
    tenant = TenantPolicy(classes={DataClass.RECORDING: Narrowing(deny=("eu-west-1",))})
    ruling = rule(CATALOGUE, ("eea",), tenant, on=TODAY)
    assert ruling.allowed == EEA
    assert ruling.classes[DataClass.RECORDING] == BUT_IRELAND


def test_a_sector_of_the_tenant_binds_its_calls() -> None:
    bank = rule(CATALOGUE, ("eea",), TenantPolicy(sectors=("payments",)), on=TODAY)
    assert bank.allowed == ()
    assert "requires pci" in bank.verdicts[0].reason


def test_adequacy_moves_no_call_since_its_words_are_stored() -> None:
    ruling = rule(CATALOGUE, ("eea",), TenantPolicy(adequacy=True), on=TODAY)
    assert ruling.allowed == EEA
    assert all(ruling.classes[data_class] == EEA for data_class in CALL)


def test_a_new_day_is_ruled_anew() -> None:
    ended = tuple(r.model_copy(update={"valid_until": TODAY}) for r in CATALOGUE.rules)
    rulings = Rulings(Law(CATALOGUE.model_copy(update={"rules": ended})))
    tenant = Tenant(id="one", name="One", agents={"desk": Agent()})
    assert rulings.of(tenant, ("eea",), on=TODAY).allowed == EEA
    assert rulings.of(tenant, ("eea",), on=TODAY + timedelta(days=1)).allowed == ()


def test_recordings_are_never_listed_where_the_call_may_not_be() -> None:
    tenant = TenantPolicy(classes={DataClass.AUDIO: Narrowing(deny=("eu-west-1",))})
    ruling = rule(CATALOGUE, ("eea",), tenant, on=TODAY)
    assert ruling.classes[DataClass.RECORDING] == BUT_IRELAND


def tenant(**policy: object) -> Tenant:
    return Tenant(id="one", name="One", agents={"desk": Agent()}, policy=TenantPolicy(**policy))  # type: ignore[arg-type]


def test_what_the_tenants_file_and_the_bundle_say_bind_both() -> None:
    contract = {"one": TenantPolicy(deny=("eu-west-1",)), "two": TenantPolicy(regions=())}
    rulings = Rulings(Law(CATALOGUE, contract, serial=1))
    found = rulings.of(tenant(deny=("eu-central-1",)), ("eea",), on=TODAY)
    assert set(found.allowed) == {*EEA} - {"eu-west-1", "eu-central-1"}


def test_a_bundle_without_a_contract_for_the_tenant_leaves_what_its_file_says() -> None:
    rulings = Rulings(Law(CATALOGUE, {"two": TenantPolicy(regions=())}, serial=1))
    assert rulings.of(tenant(deny=("eu-west-1",)), ("eea",), on=TODAY).allowed == BUT_IRELAND


def test_adequacy_needs_the_signature_once_there_is_one() -> None:
    asks = tenant(adequacy=True)

    def opened(contracts: dict[str, TenantPolicy], serial: int) -> bool:
        law = Law(CATALOGUE, contracts, serial=serial)
        found = Rulings(law).of(asks, ("eea",), on=TODAY)
        return set(found.classes[DataClass.METRICS]) > {*EEA}

    assert opened({}, 0)
    assert not opened({}, 1)
    assert not opened({"one": TenantPolicy()}, 1)
    assert opened({"one": TenantPolicy(adequacy=True)}, 1)
