"""A stack that contradicts itself, the catalogue or AWS is refused, in words with their cure."""

from typing import Any

import pytest

from infra.settings.check import check_stack
from infra.settings.fleets import CALLS_PER_VCPU
from regions.models import Catalogue
from tests.infra.settings.stacks import (
    CATALOGUE,
    EDGE,
    OFFERED,
    control_plane,
    problems,
    region,
)

DEDICATED = {"id": "bank", "isolation": "dedicated-fleet", "edge": EDGE}
OWN_ACCOUNT = {"id": "bank", "isolation": "dedicated-account"}


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_nothing_is_wrong_with_the_example() -> None:
    assert problems("eu-central-1", region()) == []
    assert problems("control-plane", control_plane()) == []


def test_eu_stack_named_for_another_region_is_refused() -> None:
    found = only(problems("eu-west-1", region()))
    assert "named for eu-west-1 and written for eu-central-1" in found
    assert "rename the file to Pulumi.eu-central-1.yaml" in found


def test_a_stack_that_does_not_say_its_region_is_asked_to() -> None:
    found = only(problems("eu-central-1", region({"region": None})))
    assert "add `region: eu-central-1`" in found


def test_a_name_that_is_no_region_is_refused() -> None:
    assert "call it REGION" in only(problems("production", region()))


def test_a_region_that_no_law_is_known_of_is_refused() -> None:
    found = only(problems("af-south-1", region({"region": "af-south-1"}))[:1])
    assert "af-south-1 is not in the catalogue" in found
    assert "take one of eu-central-1" in found


def test_a_region_of_another_cloud_is_refused() -> None:
    moved = Catalogue.model_validate(
        CATALOGUE.model_dump()
        | {
            "regions": tuple(
                known.model_dump() | ({"cloud": "other"} if known.id == "eu-central-1" else {})
                for known in CATALOGUE.regions
            )
        }
    )
    found = check_stack("eu-central-1", region(), {}, moved, OFFERED)
    assert "a region of 'other': these stacks are made on AWS only" in only([*map(str, found)])


def test_a_region_outside_its_jurisdiction_is_refused() -> None:
    found = only(problems("eu-central-1", region({"jurisdiction": "in"})))
    assert "inland-region:jurisdiction: eu-central-1 stands in 'eea', not in 'in'" in found
    assert "write eea" in found


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        (
            {"edge.instanceType": "c7g.huge"},
            "edge.instanceType",
            "c7g.huge is not offered in eu-central-1",
        ),
        ({"edge.nodes": {"min": 5, "max": 4}}, "edge.nodes", "raise max or lower min"),
        ({"edge.callsPerNode": 81}, "edge.callsPerNode", "hold 20 each, so write 80 or less"),
        ({"edge.mediaPorts": [29999, 20000]}, "edge.mediaPorts", "write [20000, 29999]"),
        ({"edge.mediaPorts": [1000, 3000]}, "edge.mediaPorts", "stay within 1024 to 65535"),
        ({"edge.mediaPorts": [60000, 65536]}, "edge.mediaPorts", "stay within 1024 to 65535"),
        ({"edge.mediaPorts": [10000, 30000]}, "edge.mediaPorts", "write [10000, 29999] or less"),
        ({"edge.mediaPorts": [20000, 20100]}, "edge.mediaPorts", "write [20000, 20119] or more"),
        ({"edge.mediaPorts": [5000, 6000]}, "edge.mediaPorts", "port 5060 is for SIP"),
        ({"edge.mediaPorts": [5061, 5300]}, "edge.mediaPorts", "port 5061 is for SIP over TLS"),
        ({"edge.mediaPorts": [3000, 4000]}, "edge.mediaPorts", "port 3478 is for TURN"),
        ({"edge.mediaPorts": [5300, 5500]}, "edge.mediaPorts", "port 5349 is for TURN over TLS"),
        ({"edge.mediaPorts": [8000, 9000]}, "edge.mediaPorts", "port 8080 is for health checks"),
        ({"edge.mediaPorts": [400, 1400]}, "edge.mediaPorts", "port 443 is for HTTPS"),
        ({"vpcCidr": "10.16.1.0/16"}, "vpcCidr", "does not begin its range: write 10.16.0.0/16"),
        ({"vpcCidr": "10.16.0.999/16"}, "vpcCidr", "no range of IPv4 addresses"),
        ({"vpcCidr": "198.18.0.0/16"}, "vpcCidr", "not private"),
        ({"vpcCidr": "10.0.0.0/15"}, "vpcCidr", "take a /16 to /18"),
        ({"vpcCidr": "10.0.0.0/19"}, "vpcCidr", "take a /16 to /18"),
        (
            {"store": {"nodeType": "cache.m1.small"}},
            "store.nodeType",
            "cache.m1.small is not offered in eu-central-1",
        ),
        ({"sip": {"carriers": ["0.0.0.0/0"]}}, "sip.carriers[0]", "a /0 is no carrier's"),
        (
            {"turn": {"instanceType": "t4g.small", "nodes": {"min": 3, "max": 1}}},
            "turn.nodes",
            "raise max or lower min",
        ),
        (
            {"turn": {"instanceType": "t9.small", "nodes": {"min": 1, "max": 1}}},
            "turn.instanceType",
            "t9.small is not offered",
        ),
        (
            {"tenants": [{"id": "clinic"}, {"id": "clinic"}]},
            "tenants[0].id",
            "'clinic' is listed twice: keep one",
        ),
        ({"tenants": [{"id": "a.b"}]}, "tenants[0].id", "cannot be part of names in AWS"),
        ({"tenants": [{"id": "a" * 17}]}, "tenants[0].id", "at most 16"),
        (
            {"tenants": [{"id": "bank", "isolation": "dedicated-fleet"}]},
            "tenants[0].edge",
            "a dedicated fleet says its instanceType, nodes and callsPerNode",
        ),
        (
            {"tenants": [{"id": "bank", "edge": EDGE}]},
            "tenants[0].edge",
            "remove edge, or write isolation: dedicated-fleet",
        ),
        (
            {"tenants": [OWN_ACCOUNT]},
            "tenants[0].isolation",
            "move it to Pulumi.eu-central-1.bank.yaml",
        ),
        (
            {"tenants": [{**DEDICATED, "edge": {**EDGE, "instanceType": "c7g.metal"}}]},
            "tenants[0].edge.instanceType",
            "c7g.metal is not offered",
        ),
    ],
)
def test_a_slip_is_refused_with_key_and_cure(changes: dict[str, Any], key: str, words: str) -> None:
    found = [line for line in problems("eu-central-1", region(changes)) if words in line]
    assert only(found).startswith(f"eu-central-1: inland-region:{key}: ")


def test_a_range_is_refused_for_every_port_that_is_taken_and_for_nothing_else() -> None:
    assert len(problems("eu-central-1", region({"edge.mediaPorts": [5000, 6000]}))) == 3
    assert problems("eu-central-1", region({"edge.mediaPorts": [45536, 65535]})) == []
    assert problems("eu-central-1", region({"edge.mediaPorts": [20000, 20119]})) == []


def test_as_many_calls_as_the_processors_hold_are_taken() -> None:
    assert problems("eu-central-1", region({"edge.callsPerNode": 4 * CALLS_PER_VCPU})) == []


def test_a_tenant_with_its_own_fleet_is_taken() -> None:
    assert problems("eu-central-1", region({"tenants": [{"id": "clinic"}, DEDICATED]})) == []


def test_a_tenant_with_its_own_account_is_taken_in_its_own_stack() -> None:
    assert problems("eu-central-1.bank", region({"tenants": [OWN_ACCOUNT]})) == []


@pytest.mark.parametrize(
    ("tenants", "words"),
    [
        ([OWN_ACCOUNT, {**OWN_ACCOUNT, "id": "clinic"}], "list that one and no other"),
        ([{**OWN_ACCOUNT, "id": "clinic"}], "the stack is that of 'bank' alone"),
        ([{"id": "bank"}], "write dedicated-account, or move the tenant to Pulumi.eu-central-1"),
    ],
)
def test_a_tenants_own_stack_holds_nobody_else(tenants: list[Any], words: str) -> None:
    assert words in only(problems("eu-central-1.bank", region({"tenants": tenants})))


@pytest.mark.parametrize(
    ("part", "key", "words"),
    [
        ({"region": "af-south-1"}, "region", "af-south-1 is not in the catalogue"),
        ({"region": "eu-central-1"}, "region", "listed twice: raise `replicas`"),
        ({"instanceType": "t9.nano"}, "instanceType", "t9.nano is not offered in ap-south-1"),
        ({"vpcCidr": "10.0.64.0/24"}, "vpcCidr", "take a /16 to /18"),
        ({"vpcCidr": "10.0.0.0/17"}, "vpcCidr", "10.0.0.0/17 overlaps 10.0.0.0/18 of regions[0]"),
    ],
)
def test_a_slip_in_the_control_plane_is_refused(part: dict[str, Any], key: str, words: str) -> None:
    second = {"region": "ap-south-1", "vpcCidr": "10.0.64.0/18"} | part
    first = {"region": "eu-central-1", "vpcCidr": "10.0.0.0/18"}
    found = only(problems("control-plane", control_plane({"regions": [first, second]})))
    assert found.startswith(f"control-plane: inland-control-plane:regions[1].{key}: ")
    assert words in found
