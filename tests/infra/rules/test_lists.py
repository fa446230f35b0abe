"""The lists that rules judge by are those that the programs keep to."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from pydantic import ValidationError

from infra.documents.fence import CEILING, fence
from infra.documents.store import COMMANDS, access_string
from infra.rules.allowed_types import ALLOWED, PROVIDER, is_component
from infra.rules.buckets import LONGEST_RECORDINGS
from infra.rules.fences import fenced
from infra.rules.iam import Request, decide
from infra.rules.known_properties import KNOWN
from infra.rules.model import Scope
from infra.rules.network import NARROWEST_CARRIER
from infra.rules.options import PLUGIN_VERSION
from infra.rules.registry import check
from infra.settings.networks import WIDEST_CARRIER
from infra.settings.region import Retention
from regions.catalogue import load_catalogue
from tests.infra.rules.small_stacks import (
    FENCE,
    REGION,
    SCOPE,
    allow,
    document,
    small_region,
    spoil,
)
from tests.infra.rules.spoiling import MANAGED

USER = "aws:elasticache/user:User"
OF_AWS = sorted({found.id for found in load_catalogue().regions if found.cloud == "aws"} - {REGION})


def test_the_rules_are_written_for_the_plugin_that_is_installed() -> None:
    assert version("pulumi-aws") == PLUGIN_VERSION


def test_every_type_has_its_list_of_properties() -> None:
    assert set(KNOWN) == (ALLOWED["region"] | ALLOWED["control-plane"]) - {PROVIDER}


def test_a_boundary_may_allow_all_that_programs_ask_for() -> None:
    policy = document(allow(list(CEILING)), FENCE)
    assert check(spoil(small_region(), MANAGED, policy=policy), SCOPE) == ()


def test_a_tenants_user_may_have_all_commands_that_the_edge_sends() -> None:
    assert COMMANDS
    spoiled = spoil(
        small_region(), USER, accessString=access_string("clinic"), userId="inland-clinic"
    )
    assert check(spoiled, SCOPE) == ()


@pytest.mark.parametrize("access", ["off", "off -@all", "off resetkeys resetchannels -@all"])
def test_a_user_that_is_off_needs_no_tenant(access: str) -> None:
    assert check(spoil(small_region(), USER, accessString=access), SCOPE) == ()


def test_recordings_are_kept_no_longer_than_a_stack_file_may_ask_for() -> None:
    Retention(recordings_days=LONGEST_RECORDINGS)
    with pytest.raises(ValidationError):
        Retention(recordings_days=LONGEST_RECORDINGS + 1)


def test_carriers_are_as_narrow_as_a_stack_file_wants_them() -> None:
    assert NARROWEST_CARRIER[4] == WIDEST_CARRIER


@pytest.mark.parametrize("elsewhere", OF_AWS)
def test_the_fence_that_the_rules_know_holds_in_every_region_of_the_catalogue(
    elsewhere: str,
) -> None:
    found = [allow("*"), fence([REGION])]
    assert fenced(found, Scope("region", frozenset({REGION}), "111122223333"))
    for action in ("s3:PutObject", "sns:Publish", "events:PutEvents", "ssm:PutParameter"):
        request = Request(action, context={"aws:RequestedRegion": elsewhere})
        assert decide(found, request) == "deny"


def test_only_our_own_components_are_components() -> None:
    assert is_component("inland:region:Network")
    assert not is_component("inland:region:Elsewhere")
    assert not is_component("inland:other:Network")
