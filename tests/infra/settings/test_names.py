"""A stack is named for its region, or for a region and the tenant that has it alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings.names import StackName, parse_stack_name
from regions.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "region", "tenant"),
    [
        ("eu-central-1", "eu-central-1", None),
        ("us-gov-west-1", "us-gov-west-1", None),
        ("eu-central-1.bank", "eu-central-1", "bank"),
    ],
)
def test_a_name_is_a_region_or_a_region_and_a_tenant(
    name: str, region: str, tenant: str | None
) -> None:
    assert parse_stack_name(name) == StackName(region, tenant)


@pytest.mark.parametrize("name", ["", "dev", "eu-central", "eu-central-1.", "EU-central-1", "."])
def test_another_name_is_refused_with_the_grammar(name: str) -> None:
    with pytest.raises(ConfigError, match=r"call it REGION \(eu-central-1\), or REGION.TENANT"):
        parse_stack_name(name)


@given(
    st.from_regex(r"[a-z]{2}(-[a-z]{2,9}){1,2}-[0-9]", fullmatch=True),
    st.none() | st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True),
)
def test_a_name_reads_back_as_it_was_written(region: str, tenant: str | None) -> None:
    name = StackName(region, tenant)
    assert parse_stack_name(str(name)) == name
