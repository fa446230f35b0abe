"""A replica is sealed for no region that the law, the contract or the session's tag keeps out."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.session.contents import Contents
from edge.session.replica import ReplicaHead, ReplicaKey
from edge.session.replica_regions import CARRIED, replica_regions
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import Catalogue, DataClass, Narrowing, Operation, Rule, TenantPolicy
from regions.policy import allowed_set
from regions.tag import ResidencyTag
from tests.edge.session.parts import NOW, tag_for, turn
from tests.regions.worlds import region, rule, world

TODAY = date(2026, 11, 21)
NAMES = ("ra", "ra2", "rb", "rc")
REGIONS = (region("ra", "la"), region("ra2", "la"), region("rb", "lb"), region("rc", "lc"))
KEYS = {name: ReplicaKey(name, bytes([number]) * 32) for number, name in enumerate(NAMES, 1)}
PUBLIC = {name: key.public for name, key in KEYS.items()}

some_regions = st.lists(st.sampled_from(NAMES), unique=True)


def tag(*regions: str, laws: tuple[str, ...] = ("la",)) -> ResidencyTag:
    update = {"allowed_regions": regions, "jurisdictions": tuple(sorted(laws))}
    return tag_for().model_copy(update=update)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Any law of the classes and operations that matter: mostly generous, with gaps anywhere."""
    places = st.sampled_from([NAMES, NAMES, NAMES, NAMES[:2], NAMES[1:], ()])
    return tuple(
        rule(name, regions=draw(places), classes=(data_class,), operations=(operation,))
        for name in ("la", "lb")
        for data_class in (DataClass.AUDIO, DataClass.TRANSCRIPT, DataClass.VARIABLES)
        for operation in (Operation.PROCESS, Operation.STORE, Operation.REPLICATE)
        if draw(st.sampled_from([True] * 9 + [False]))
    )


@st.composite
def laws(draw: st.DrawFn) -> Law:
    narrowing = Narrowing(deny=tuple(draw(some_regions)))
    contract = TenantPolicy(
        regions=draw(st.none() | some_regions.map(tuple)),
        classes={draw(st.sampled_from(list(DataClass))): narrowing},
        adequacy=draw(st.booleans()),
    )
    keys = {name: PUBLIC[name] for name in draw(some_regions)}
    contracts = draw(st.sampled_from([{}, {"clinic": contract}, {"other": contract}]))
    return Law(world(REGIONS, draw(rules())), contracts, keys)


@given(
    laws(),
    some_regions.filter(bool),
    st.sampled_from(NAMES),
    st.sampled_from([("la",), ("la", "lb")]),
)
def test_it_is_the_intersection_and_nothing_more(
    law: Law, listed: list[str], here: str, binding: tuple[str, ...]
) -> None:
    found = replica_regions(law, tag(*listed, laws=binding), here, TODAY)
    contract = law.contracts.get("clinic", TenantPolicy())
    expected = {*listed} & {*law.replica_keys} - {here}
    for data_class in (DataClass.TRANSCRIPT, DataClass.VARIABLES):
        for operation in (Operation.REPLICATE, Operation.STORE, Operation.PROCESS):
            allowed = allowed_set(law.catalogue, binding, contract, data_class, operation, on=TODAY)
            expected &= {*allowed.allowed}
    audio = allowed_set(
        law.catalogue, binding, contract, DataClass.AUDIO, Operation.PROCESS, on=TODAY
    )
    assert {*found} == expected & {*audio.allowed}
    assert list(found) == [name for name in listed if name in found], "in the tag's order"


@given(laws(), some_regions.filter(bool))
def test_no_key_is_wrapped_for_any_other_region(law: Law, listed: list[str]) -> None:
    """The same, at the replica itself: only these regions have a way into it."""
    here = listed[0]
    bound = tag(*listed)
    targets = replica_regions(law, bound, here, TODAY)
    if not targets:
        return
    head = ReplicaHead(
        source=here, tag=bound, agent="reception", turn=1, at=int(NOW),
        expires_at=int(NOW) + 60, ends={},
    )  # fmt: skip
    keys = {name: law.replica_keys[name] for name in targets}
    text = KEYS[here].seal(head, Contents((turn(1),), None, ()), keys).text
    for name, key in KEYS.items():
        if name in targets:
            assert key.open(key.verify(text, {here: PUBLIC[here]}, now=NOW)).contents.turns
        else:
            assert f'"{name}":{{"key"' not in text


NEEDED = [
    (DataClass.AUDIO, Operation.PROCESS),
    *(
        (data_class, operation)
        for data_class in (DataClass.TRANSCRIPT, DataClass.VARIABLES)
        for operation in (Operation.PROCESS, Operation.STORE, Operation.REPLICATE)
    ),
]


@pytest.mark.parametrize("kept_home", [*NEEDED, None])
def test_one_thing_that_a_region_may_not_do_keeps_it_out(
    kept_home: tuple[DataClass, Operation] | None,
) -> None:
    found = tuple(
        rule(
            "la",
            regions=("ra",) if (data_class, operation) == kept_home else NAMES,
            classes=(data_class,),
            operations=(operation,),
        )
        for data_class, operation in NEEDED
    )
    law = Law(world(REGIONS, found), {}, PUBLIC)
    expected = ("ra2", "rb") if kept_home is None else ()
    assert replica_regions(law, tag("ra", "ra2", "rb"), "ra", TODAY) == expected


SHIPPED = load_catalogue()
EVERYWHERE = {region.id: bytes(31) + b"\x09" for region in SHIPPED.regions}


def shipped(jurisdiction: str, catalogue: Catalogue = SHIPPED) -> tuple[str, ...]:
    listed = tuple(region.id for region in catalogue.regions)[:32]
    bound = tag(*listed, laws=(jurisdiction,))
    return replica_regions(Law(catalogue, {}, EVERYWHERE), bound, "nowhere", TODAY)


def test_by_the_shipped_law_europe_stays_in_europe_and_india_in_india() -> None:
    europe = shipped("eea")
    assert {"eu-central-1", "eu-west-1"} <= {*europe}
    assert {SHIPPED.region(name).jurisdiction for name in europe} == {"eea"}
    assert {SHIPPED.region(name).jurisdiction for name in shipped("in")} == {"in"}


@pytest.mark.parametrize("data_class", [DataClass.TRANSCRIPT, DataClass.VARIABLES])
def test_where_one_class_may_not_be_replicated_nothing_is(data_class: DataClass) -> None:
    trimmed = tuple(
        each.model_copy(update={"classes": tuple(c for c in each.classes if c != data_class)})
        if Operation.REPLICATE in each.operations and each.jurisdiction == "eea"
        else each
        for each in SHIPPED.rules
        if each.jurisdiction != "eea" or {*each.classes} != {data_class}
    )
    assert shipped("eea", SHIPPED.model_copy(update={"rules": trimmed})) == ()


def test_what_is_carried_is_what_a_journal_keeps() -> None:
    replicated = {name for name, done in CARRIED.items() if Operation.REPLICATE in done}
    assert replicated == {DataClass.TRANSCRIPT, DataClass.VARIABLES}
