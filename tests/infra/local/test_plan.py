"""Regions as namespaces: who hangs on whom, and which addresses they have."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from infra.local.barrier import REFUSED, rulesets
from infra.local.commands import build_commands, forward_commands, remove_commands
from infra.local.plan import ANYWHERE, CALLERS, LocalPlan, plan_host
from infra.settings.control_plane import ControlPlaneStack, Replicas
from infra.settings.region import Edge, Range, RegionStack, Release, Tenant

EDGE = Edge(instance_type="c7i.large", nodes=Range(min=1, max=2), calls_per_node=10)
RELEASE = Release(version="1", sha256="0" * 64, site="0" * 64)


def stack(cidr: str, *tenants: Tenant) -> RegionStack:
    return RegionStack(
        region="eu-central-1",
        jurisdiction="eea",
        account_id="111122223333",
        vpc_cidr=cidr,
        domain="eu.example.org",
        zone_id="Z0EXAMPLE",
        control_planes=("https://a.eu-central-1.control.example.org",),
        release=RELEASE,
        edge=EDGE,
        tenants=tenants or (Tenant(id="clinic"),),
        monthly_budget_usd=1,
    )


@pytest.fixture
def plan() -> LocalPlan:
    bank = Tenant(id="bank", isolation="dedicated-fleet", edge=EDGE)
    control = ControlPlaneStack(
        account_id="111122223333",
        domain="control.example.org",
        zone_id="Z0EXAMPLE",
        release=RELEASE,
        regions=(
            Replicas(region="eu-central-1", vpc_cidr="10.0.0.0/18", replicas=2),
            Replicas(region="ap-south-1", vpc_cidr="10.0.64.0/18"),
        ),
        monthly_budget_usd=1,
    )
    regions = {
        "eu-central-1": stack("10.16.0.0/16", Tenant(id="clinic"), bank),
        "ap-south-1": stack("10.32.0.0/20"),
    }
    return plan_host(regions, control, prefix="t")


def test_every_machine_has_an_address_of_its_own(plan: LocalPlan) -> None:
    addresses = [link.address.ip for link in plan.links]
    gateways = [link.gateway.ip for link in plan.links]
    assert len({*addresses, *gateways}) == len(addresses) + len(gateways)


def test_interfaces_of_one_namespace_have_different_short_names(plan: LocalPlan) -> None:
    ends = [(link.gateway_namespace, link.gateway_name) for link in plan.links]
    assert len({*ends}) == len(ends)
    assert all(len(name) <= 15 for _, name in ends)
    assert len(plan.host_interface) <= 15


def test_a_store_reaches_its_own_nodes_and_nothing_else(plan: LocalPlan) -> None:
    for region in plan.regions:
        assert region.store.reaches == region.subnet != ANYWHERE
        assert region.store.gateway_namespace == region.router


def test_nothing_outside_a_region_has_a_route_to_its_store(plan: LocalPlan) -> None:
    stores = [region.store.address.network for region in plan.regions]
    outside = [*plan.networks, *(net for link in plan.links for net in link.behind)]
    assert not any(net.overlaps(store) for net in outside for store in stores)


def test_a_tenant_with_a_fleet_of_its_own_has_a_node_of_its_own(plan: LocalPlan) -> None:
    fleets = {region.stack: [node.tenant for node in region.nodes] for region in plan.regions}
    assert fleets == {"ap-south-1": [None], "eu-central-1": [None, "bank"]}


def test_a_tenant_s_own_account_stands_in_its_region() -> None:
    control = ControlPlaneStack(
        account_id="111122223333",
        domain="control.example.org",
        zone_id="Z0EXAMPLE",
        release=RELEASE,
        regions=(
            Replicas(region="eu-central-1", vpc_cidr="10.0.0.0/18"),
            Replicas(region="ap-south-1", vpc_cidr="10.0.64.0/18"),
        ),
        monthly_budget_usd=1,
    )
    (region,) = plan_host({"eu-central-1.bank": stack("10.20.0.0/16")}, control).regions
    assert (region.stack, region.region) == ("eu-central-1.bank", "eu-central-1")


def test_each_replica_of_the_control_plane_is_a_machine(plan: LocalPlan) -> None:
    named = [(replica.region, replica.letter) for replica in plan.replicas]
    assert named == [("eu-central-1", "a"), ("eu-central-1", "b"), ("ap-south-1", "a")]


def test_what_is_made_is_taken_away(plan: LocalPlan) -> None:
    made = {one[3] for one in build_commands(plan) if one[:3] == ("ip", "netns", "add")}
    taken = {one[3] for one in remove_commands(plan) if one[:3] == ("ip", "netns", "del")}
    assert made == taken == {*plan.namespaces}


def test_the_host_sends_nothing_for_a_region_into_its_own_default_route(plan: LocalPlan) -> None:
    unreachable = [one[-1] for one in build_commands(plan) if "unreachable" in one]
    assert [IPv4Network(net) for net in unreachable] == [*plan.whole]


def test_no_machine_forwards_but_the_routers(plan: LocalPlan) -> None:
    routers = {one[3] for one in forward_commands(plan)}
    assert routers == {"t-backbone", "t-eu-central-1", "t-ap-south-1"}


def test_every_chain_of_every_barrier_refuses_and_counts_what_it_does_not_name(
    plan: LocalPlan,
) -> None:
    found = rulesets(plan)
    machines = {link.namespace for region in plan.regions for link in (region.store,)}
    machines |= {node.link.namespace for region in plan.regions for node in region.nodes}
    assert {*found} == machines | {"t-backbone", "t-eu-central-1", "t-ap-south-1"}
    for ruleset in found.values():
        assert ruleset.count("policy drop;") == ruleset.count(f"counter name {REFUSED} reject")
        assert ruleset.count("chain ") == ruleset.count("policy drop;") > 0


def test_no_rule_names_two_regions(plan: LocalPlan) -> None:
    networks = [IPv4Network(region.settings.vpc_cidr) for region in plan.regions]
    for ruleset in rulesets(plan).values():
        for line in ruleset.splitlines():
            words = [word.strip("{},") for word in line.split() if word[:1].isdigit()]
            named = {
                network
                for word in words
                if word.count(".") == 3 and not word.startswith(str(CALLERS)[:4])
                for network in networks
                if IPv4Network(word).subnet_of(network)
            }
            assert len(named) <= 1, line
