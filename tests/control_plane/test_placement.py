from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from control_plane.directory import Health, NodeView
from control_plane.law import Rollout
from control_plane.placement import PER_REGION, distances_from, not_for, place
from control_plane.ruling import Ruling, rule
from control_plane.tenants import Agent, Tenant
from regions.models import DataClass, Narrowing, Operation, TenantPolicy
from regions.policy import allowed_set
from tests.control_plane.helpers import CATALOGUE, POLICY, REGIONS

EVERYTHING = TenantPolicy()
POOLED = Tenant(id="pooled", name="Pooled", agents={"a": Agent()})
DEDICATED = Tenant(id="clinic", name="Clinic", isolation="dedicated", agents={"a": Agent()})
TODAY = date(2026, 11, 21)
ROLLOUT = Rollout(POLICY, serial=0, since=0.0, now=0.0)
EUROPE = rule(CATALOGUE, ("eea",), EVERYTHING, on=TODAY)


def node(region: str, name: str = "a", **changes: object) -> NodeView:
    base = NodeView(
        region=region,
        node=f"{region}-{name}",
        url="http://127.0.0.1:7101",
        capacity=10,
        active=0,
        in_flight=0,
        draining=False,
        policy=POLICY,
        version="0.1.0",
        health=Health.LIVE,
        heard_at=0.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def by_region(nodes: Iterable[NodeView]) -> dict[str, list[NodeView]]:
    found: dict[str, list[NodeView]] = {}
    for one in nodes:
        found.setdefault(one.region, []).append(one)
    return found


def order(
    nodes: Sequence[NodeView],
    near: str | None = "DE",
    ruling: Ruling = EUROPE,
    seed: int = 0,
    tenant: Tenant = POOLED,
) -> list[str]:
    placement = place(
        CATALOGUE, ruling, by_region(nodes), near, random.Random(seed), tenant, ROLLOUT
    )
    return [candidate.node for candidate in placement.candidates]


def reason(nodes: Sequence[NodeView], region: str, tenant: Tenant = POOLED) -> str:
    placement = place(CATALOGUE, EUROPE, by_region(nodes), "DE", random.Random(0), tenant, ROLLOUT)
    return next(v.reason for v in placement.regions if v.region == region)


NODES = st.lists(
    st.builds(
        node,
        st.sampled_from(REGIONS),
        st.sampled_from("abcdef"),
        capacity=st.integers(0, 5),
        active=st.integers(0, 7),
        in_flight=st.integers(0, 9),
        draining=st.booleans(),
        policy=st.sampled_from((POLICY, "1#other")),
        health=st.sampled_from(Health),
    ),
    max_size=40,
    unique_by=lambda view: (view.region, view.node),
)
REGION_IDS = st.lists(st.sampled_from(REGIONS), unique=True).map(tuple)
NARROWINGS = st.builds(Narrowing, regions=st.none() | REGION_IDS, deny=REGION_IDS)
TENANTS = st.builds(
    TenantPolicy,
    regions=st.none() | REGION_IDS,
    deny=REGION_IDS,
    attributes=st.sampled_from(((), ("dedicated",))),
    classes=st.dictionaries(st.sampled_from(DataClass), NARROWINGS, max_size=2),
)
KNOWN_LAWS = tuple(law.id for law in CATALOGUE.jurisdictions)
LAWS = st.lists(st.sampled_from((*KNOWN_LAWS, "unheard-of")), max_size=2).map(tuple)


@given(
    nodes=NODES,
    laws=LAWS,
    tenant=TENANTS,
    near=st.sampled_from((None, "DE", "IN", "US", "ZZ")),
    seed=st.integers(0, 99),
)
def test_no_load_fault_or_setting_places_a_call_outside_its_allowed_set(
    nodes: list[NodeView], laws: tuple[str, ...], tenant: TenantPolicy, near: str | None, seed: int
) -> None:
    needed = [
        (DataClass.AUDIO, Operation.PROCESS),
        (DataClass.TRANSCRIPT, Operation.PROCESS),
        (DataClass.TRANSCRIPT, Operation.STORE),
        (DataClass.VARIABLES, Operation.PROCESS),
        (DataClass.VARIABLES, Operation.STORE),
    ]
    lawful = set(REGIONS)
    for data_class, operation in needed:
        decision = allowed_set(CATALOGUE, laws, tenant, data_class, operation, on=TODAY)
        lawful &= set(decision.allowed)
    ruling = rule(CATALOGUE, laws, tenant, on=TODAY)
    placement = place(
        CATALOGUE, ruling, by_region(nodes), near, random.Random(seed), POOLED, ROLLOUT
    )

    assert {candidate.region for candidate in placement.candidates} <= lawful
    assert {verdict.region for verdict in placement.regions if verdict.allowed} == lawful
    views = {(view.region, view.node): view for view in nodes}
    for candidate in placement.candidates:
        view = views[candidate.region, candidate.node]
        assert view.health is not Health.DEAD
        assert not view.draining
        assert view.policy == POLICY
        assert view.active < view.capacity


@given(nodes=NODES, seed=st.integers(0, 99))
def test_every_allowed_region_either_offers_its_nodes_or_says_why_not(
    nodes: list[NodeView], seed: int
) -> None:
    placement = place(
        CATALOGUE, EUROPE, by_region(nodes), "DE", random.Random(seed), POOLED, ROLLOUT
    )
    offered = [(c.region, c.node) for c in placement.candidates]
    assert len(set(offered)) == len(offered)
    for verdict in placement.regions:
        fit = [
            view
            for view in nodes
            if view.region == verdict.region
            and view.health is not Health.DEAD
            and not view.draining
            and view.policy == POLICY
            and view.active < view.capacity
        ]
        live = sum(view.health is Health.LIVE for view in fit)
        expected = min(PER_REGION, live) + min(PER_REGION, len(fit) - live)
        given_ = sum(region == verdict.region for region, _ in offered)
        assert given_ == (expected if verdict.allowed else 0)
        assert ("; no node" in verdict.reason) == (verdict.allowed and not fit)


def test_a_node_listed_under_another_region_is_not_believed() -> None:
    stray = {"eu-central-1": [node("ap-south-1")]}
    assert place(CATALOGUE, EUROPE, stray, "DE", random.Random(0), POOLED, ROLLOUT).candidates == ()


def test_the_nearest_region_comes_first_and_the_other_still_follows() -> None:
    nodes = [node("eu-west-1"), node("eu-central-1")]
    assert order(nodes, "DE") == ["eu-central-1-a", "eu-west-1-a"]
    assert order(nodes, "IE") == ["eu-west-1-a", "eu-central-1-a"]


def test_the_candidates_say_why_they_stand_where_they_do() -> None:
    nodes = by_region([node("eu-west-1", health=Health.SUSPECT), node("eu-central-1")])
    placement = place(CATALOGUE, EUROPE, nodes, "DE", random.Random(0), POOLED, ROLLOUT)
    away = distances_from(CATALOGUE, "DE")
    assert [c.reason for c in placement.candidates] == [
        f"nearest allowed region, {round(away['eu-central-1'])} km",
        f"allowed region, {round(away['eu-west-1'])} km; last resort, the node missed beats",
    ]


def test_without_a_position_the_less_loaded_region_comes_first() -> None:
    nodes = [node("eu-central-1", active=5), node("eu-west-1", active=1)]
    for nowhere in (None, "ZZ"):
        assert order(nodes, nowhere) == ["eu-west-1-a", "eu-central-1-a"]


def test_a_region_whose_nodes_are_spoken_for_goes_behind_one_with_room() -> None:
    nodes = [node("eu-central-1", active=6, in_flight=4), node("eu-west-1")]
    assert order(nodes, "DE") == ["eu-west-1-a", "eu-central-1-a"]


def test_callers_who_asked_and_never_came_do_not_make_a_node_full() -> None:
    assert order([node("eu-central-1", in_flight=500)]) == ["eu-central-1-a"]


def test_a_suspect_node_is_a_last_resort_behind_farther_live_ones() -> None:
    nodes = [node("eu-central-1", health=Health.SUSPECT), node("eu-west-1", active=9)]
    assert order(nodes) == ["eu-west-1-a", "eu-central-1-a"]
    assert order(nodes[:1]) == ["eu-central-1-a"]


def test_of_two_nodes_the_less_loaded_by_share_of_capacity_goes_first() -> None:
    nodes = [node("eu-central-1", "a", active=4), node("eu-central-1", "b", active=8, capacity=100)]
    assert all(order(nodes, seed=seed)[0] == "eu-central-1-b" for seed in range(20))


def test_own_in_flight_placements_count_as_load() -> None:
    nodes = [node("eu-central-1", "a", active=2, in_flight=3), node("eu-central-1", "b", active=4)]
    assert order(nodes)[0] == "eu-central-1-b"


def test_two_choices_spread_callers_where_the_least_loaded_node_would_get_all() -> None:
    nodes = [node("eu-central-1", name, active=number) for number, name in enumerate("abcdefgh")]
    firsts = {order(nodes, seed=seed)[0] for seed in range(200)}
    assert firsts == {f"eu-central-1-{name}" for name in "abcdefg"}


def test_nodes_with_room_are_drawn_before_those_that_are_spoken_for() -> None:
    crowd = [node("eu-central-1", str(n), active=9, in_flight=1) for n in range(20)]
    nodes = [*crowd, node("eu-central-1", "free", active=9)]
    assert all(order(nodes, seed=seed)[0] == "eu-central-1-free" for seed in range(20))


def test_a_region_without_candidates_says_what_is_wrong_with_its_nodes() -> None:
    nodes = [
        node("eu-central-1", "a", health=Health.DEAD),
        node("eu-central-1", "b", health=Health.DEAD),
        node("eu-central-1", "c", draining=True),
        node("eu-central-1", "d", active=10),
        node("eu-central-1", "e", policy="1#other"),
        node("eu-central-1", "f", capacity=0),
    ]
    words = "; no node can take a call: 2 dead, 1 draining, 2 full, 1 of another policy"
    assert reason(nodes, "eu-central-1").endswith(words)
    assert reason(nodes, "eu-west-1").endswith("; no node is known here")
    assert "no node" not in reason(nodes, "ap-south-1")


@given(
    nodes=st.lists(
        st.builds(
            node,
            st.sampled_from(REGIONS),
            st.sampled_from("abcdef"),
            active=st.integers(0, 12),
            health=st.sampled_from(Health),
            tenants=st.sampled_from((None, ("clinic",), ("bank",), ("bank", "clinic"))),
        ),
        max_size=40,
        unique_by=lambda view: (view.region, view.node),
    ),
    tenant=st.sampled_from((POOLED, DEDICATED)),
    seed=st.integers(0, 99),
)
def test_tenants_with_nodes_of_their_own_and_all_others_never_meet_on_a_node(
    nodes: list[NodeView], tenant: Tenant, seed: int
) -> None:
    placement = place(
        CATALOGUE, EUROPE, by_region(nodes), "DE", random.Random(seed), tenant, ROLLOUT
    )
    views = {(view.region, view.node): view for view in nodes}
    chosen = [views[candidate.region, candidate.node] for candidate in placement.candidates]
    if tenant is DEDICATED:
        assert all(view.tenants is not None and "clinic" in view.tenants for view in chosen)
    else:
        assert all(view.tenants is None for view in chosen)
    # The other fleet changes nothing: neither who is chosen nor in which order.
    own = [view for view in nodes if view in chosen or not_for(tenant, view.tenants) is None]
    alone = place(CATALOGUE, EUROPE, by_region(own), "DE", random.Random(seed), tenant, ROLLOUT)
    assert alone.candidates == placement.candidates


def test_a_dedicated_tenant_waits_rather_than_being_served_by_a_shared_node() -> None:
    shared = [node("eu-central-1", "a"), node("eu-central-1", "b")]
    others = [node("eu-central-1", "c", tenants=("bank",))]
    assert order(shared + others, tenant=DEDICATED) == []
    words = "; no node can take a call: 1 kept for other tenants, 2 shared by tenants"
    assert reason(shared + others, "eu-central-1", DEDICATED).endswith(words)
    own = node("eu-central-1", "d", tenants=("clinic",), active=9)
    assert order([*shared, *others, own], tenant=DEDICATED) == ["eu-central-1-d"]
    assert order([own, *others]) == []
    full = node("eu-central-1", "d", tenants=("clinic",), active=10)
    assert order([*shared, full], tenant=DEDICATED) == []


def test_a_tenant_that_a_node_names_may_still_share_the_others() -> None:
    named = [node("eu-central-1", "a", tenants=("pooled",)), node("eu-central-1", "b")]
    assert sorted(order(named)) == ["eu-central-1-a", "eu-central-1-b"]


def test_a_node_on_another_bundle_is_chosen_within_the_grace_alone() -> None:
    nodes = [
        node("eu-central-1", "behind", policy="1#old", serial=4),
        node("eu-west-1", "ahead", policy="1#new", serial=6, policy_since=50.0),
    ]

    def chosen(now: float) -> set[str]:
        rollout = Rollout(POLICY, serial=5, since=0.0, now=now)
        rng = random.Random(0)
        placement = place(CATALOGUE, EUROPE, by_region(nodes), "DE", rng, POOLED, rollout)
        return {candidate.node for candidate in placement.candidates}

    assert chosen(119.0) == {"eu-central-1-behind", "eu-west-1-ahead"}
    assert chosen(120.0) == {"eu-west-1-ahead"}
    assert chosen(170.0) == set()


def test_a_node_on_another_bundle_opens_no_region_that_this_law_closes() -> None:
    tightened = rule(CATALOGUE, ("eea",), TenantPolicy(deny=("eu-central-1",)), on=TODAY)
    nodes = [node("eu-central-1", policy="1#old", serial=4)]
    rollout = Rollout(POLICY, serial=5, since=0.0, now=0.0)
    rng = random.Random(0)
    placement = place(CATALOGUE, tightened, by_region(nodes), "DE", rng, POOLED, rollout)
    assert placement.candidates == ()
