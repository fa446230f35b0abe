"""Two stacks share no address, name, account or tenant that they must not share."""

from ipaddress import IPv4Network

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infra.settings.neighbours import replica_urls
from infra.settings.networks import overlapping, refusal_of_vpc
from regions.policy_keys import policy_key_text
from tests.infra.settings.stacks import IRELAND, MUMBAI, control_plane, problems, region

OWN = {"tenants": [{"id": "bank", "isolation": "dedicated-account"}]}


def private(drawn: tuple[int, int, int]) -> str:
    """A range that a VPC may have."""
    second, third, prefix = drawn
    return str(IPv4Network((f"10.{second}.{third}.0", prefix), strict=False))


RANGES = st.tuples(st.integers(0, 3), st.integers(0, 255), st.integers(16, 18)).map(private)


def test_the_examples_go_together() -> None:
    ireland, mumbai, plane = region(IRELAND), region(MUMBAI), control_plane()
    frankfurt = region()
    assert problems("eu-central-1", frankfurt, eu_west_1=ireland, control_plane=plane) == []
    assert problems("ap-south-1", mumbai, eu_west_1=ireland, control_plane=plane) == []
    assert problems("control-plane", plane, eu_west_1=ireland, ap_south_1=mumbai) == []


@given(RANGES, RANGES)
def test_overlapping_ranges_of_two_stacks_are_always_found(ours: str, theirs: str) -> None:
    (low, high), (other_low, other_high) = _ends(ours), _ends(theirs)
    meets = low <= other_high and other_low <= high
    found = problems(
        "eu-central-1",
        region({"vpcCidr": ours}),
        eu_west_1=region({**IRELAND, "vpcCidr": theirs}),
    )
    assert [line for line in found if "overlaps" in line] == (
        [
            f"eu-central-1: inland-region:vpcCidr: {ours} overlaps {theirs} of eu-west-1: "
            "give each its own range"
        ]
        if meets
        else []
    )


@given(RANGES, RANGES)
def test_overlapping_is_the_same_both_ways(ours: str, theirs: str) -> None:
    assert [*overlapping(ours, [("x", theirs)])] == [("x", theirs)] * bool(
        [*overlapping(theirs, [("x", ours)])]
    )


@given(st.lists(RANGES, min_size=2, max_size=2))
def test_a_range_of_the_control_plane_is_found_from_a_region(ranges: list[str]) -> None:
    plane = control_plane(
        {
            "regions": [
                {"region": "eu-central-1", "vpcCidr": "172.16.0.0/18"},
                {"region": "ap-south-1", "vpcCidr": ranges[0]},
            ]
        }
    )
    found = problems("eu-central-1", region({"vpcCidr": ranges[1]}), control_plane=plane)
    meets = IPv4Network(ranges[0]).overlaps(IPv4Network(ranges[1]))
    assert bool([line for line in found if "of control-plane" in line]) == meets


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_a_range(text: str) -> None:
    refusal = refusal_of_vpc(text)
    assert refusal is None or isinstance(refusal, str)
    assert [*overlapping(text, [("x", text)])] in ([], [("x", text)])


def _ends(cidr: str) -> tuple[int, int]:
    network = IPv4Network(cidr)
    return int(network.network_address), int(network.broadcast_address)


def test_one_account_in_two_jurisdictions_is_refused() -> None:
    mumbai = region({**MUMBAI, "accountId": "111122223333"})
    [found] = problems("ap-south-1", mumbai, eu_west_1=region(IRELAND))
    assert "inland-region:accountId: 111122223333 is eu-west-1's too" in found
    assert "one account, one jurisdiction" in found


def test_one_account_for_the_regions_of_a_jurisdiction_is_taken() -> None:
    assert problems("eu-west-1", region(IRELAND), eu_central_1=region()) == []


def test_a_control_plane_in_a_regions_account_is_refused() -> None:
    plane = control_plane({"accountId": "111122223333", "zoneId": "Z0EXAMPLEEEA"})
    [found] = problems("control-plane", plane, eu_central_1=region())
    assert "inland-control-plane:accountId: " in found
    assert "give it an account of its own" in found


def test_an_account_promised_to_one_tenant_is_nobody_elses() -> None:
    own = region({**OWN, **IRELAND, "region": "eu-central-1"})
    [found] = problems("eu-central-1.bank", own, eu_central_1=region())
    assert "'bank' was promised an account of its own" in found


def test_the_same_domain_in_two_stacks_is_refused() -> None:
    ireland = region({**IRELAND, "domain": "eu-central-1.eea.example.org"})
    [found] = problems("eu-west-1", ireland, eu_central_1=region())
    assert "eu-central-1.eea.example.org is eu-central-1's too" in found


@pytest.mark.parametrize(
    "domain", ["eu-central-1.control.example.org", "example.org", "control.example.org"]
)
def test_nodes_may_not_write_the_control_planes_names(domain: str) -> None:
    found = problems("eu-central-1", region({"domain": domain}), control_plane=control_plane())
    assert [line.split(":")[2].strip() for line in found] == ["domain"]


def test_a_zone_of_another_account_is_refused() -> None:
    mumbai = region({**MUMBAI, "zoneId": "Z0EXAMPLEEEA"})
    [found] = problems("ap-south-1", mumbai, eu_central_1=region())
    assert "Z0EXAMPLEEEA is in account 111122223333 (eu-central-1)" in found
    assert "delegate a zone" in found


def test_a_tenant_twice_in_one_region_is_refused() -> None:
    own = region({**OWN, "accountId": "999999999999", "zoneId": "Z0BANK", **IRELAND})
    own = own.model_copy(update={"region": "eu-central-1"})
    both = region({"tenants": [{"id": "clinic"}, {"id": "bank"}]})
    found = problems("eu-central-1", both, **{"eu_central_1.bank": own})
    assert any("'bank' is in eu-central-1.bank too, in the same region" in line for line in found)


def test_a_control_plane_that_is_not_there_is_refused_with_the_one_that_is() -> None:
    urls = ["https://b.eu-central-1.control.example.org"]
    found = problems("eu-central-1", region({"controlPlanes": urls}), control_plane=control_plane())
    assert "did you mean https://a.eu-central-1.control.example.org?" in found[0]
    assert "add https://a.eu-central-1.control.example.org, https://a.ap-south-1" in found[1]


ONE, OTHER = (
    policy_key_text(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32).public_key())
    for n in (1, 2)
)


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        ([], [], True),
        ([ONE], [ONE], True),
        ([ONE], [OTHER, ONE], True),
        ([ONE], [OTHER], False),
        ([ONE], [], False),
        ([], [ONE], False),
    ],
)
def test_nodes_and_control_plane_go_by_a_key_that_both_trust(
    ours: list[str], theirs: list[str], kept: bool
) -> None:
    stack, plane = region({"policyKeys": ours}), control_plane({"policyKeys": theirs})
    for found in (
        problems("eu-central-1", stack, control_plane=plane),
        problems("control-plane", plane, eu_central_1=stack),
    ):
        assert [line.split(":")[2] for line in found] == ([] if kept else ["policyKeys"])


def test_every_replica_has_its_letter() -> None:
    plane = control_plane(
        {
            "regions": [
                {"region": "eu-central-1", "vpcCidr": "10.0.0.0/18", "replicas": 2},
                {"region": "ap-south-1", "vpcCidr": "10.0.64.0/18"},
            ]
        }
    )
    assert replica_urls(plane) == (
        "https://a.eu-central-1.control.example.org",
        "https://b.eu-central-1.control.example.org",
        "https://a.ap-south-1.control.example.org",
    )


def test_a_secret_of_a_stack_that_is_not_there_is_refused() -> None:
    plane = control_plane({"nodeSecrets": {"eu-cental-1": "0" * 64}})
    [found] = problems("control-plane", plane, eu_central_1=region())
    assert "there is no stack eu-cental-1: did you mean eu-central-1?" in found
