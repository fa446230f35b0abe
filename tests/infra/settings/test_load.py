"""A stack file is what its schema says, or is refused with file, line, key and cure."""

import json
from pathlib import Path

import pytest
import yaml

from infra.settings.load import (
    control_plane_from_config,
    from_config,
    load_control_plane_stack,
    load_region_stack,
    load_stack,
)
from regions.errors import ConfigError
from tests.infra.settings.stacks import CONTROL_PLANE, REGION, control_plane, region, write


def flat(project: str, base: dict[str, object]) -> dict[str, str]:
    """As Pulumi hands it to a program: text, or JSON."""
    return {
        f"{project}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in base.items()
    }


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_stack(path)
    return str(caught.value)


def test_a_file_of_either_project_becomes_its_stack(tmp_path: Path) -> None:
    ours = write(tmp_path / "region", "eu-central-1", REGION)
    plane = write(tmp_path / "control_plane", "control-plane", CONTROL_PLANE)
    assert load_stack(ours) == load_region_stack(ours) == region()
    assert load_stack(plane) == load_control_plane_stack(plane) == control_plane()


def test_what_a_program_is_given_is_what_the_file_says() -> None:
    assert from_config(flat("inland-region", REGION)) == region()
    plane = control_plane_from_config(flat("inland-control-plane", CONTROL_PLANE))
    assert plane == control_plane()


def test_pulumis_own_keys_are_tolerated(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION)
    path.write_text(
        "secretsprovider: awskms://alias/x\nencryptedkey: AAAA\nencryptionsalt: v1:x\n"
        + path.read_text()
    )
    assert load_stack(path) == region()
    given = {**flat("inland-region", REGION), "pulumi:tags": "{}"}
    assert from_config(given) == region()


def test_a_slip_in_a_key_is_told_with_its_line_as_it_was_written(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION)
    path.write_text(path.read_text().replace("vpcCidr", "vpcCdir"))
    assert (
        f"{path}:5: config.inland-region:vpcCdir: unknown key: "
        "did you mean 'inland-region:vpcCidr'?"
    ) in refusal(path)


def test_an_inner_key_is_told_with_all_that_leads_to_it(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION, {"edge.nodes.min": "two"})
    assert ": config.inland-region:edge.nodes.min: " in refusal(path)


def test_a_provider_configured_beside_the_program_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION)
    path.write_text(path.read_text() + "  aws:region: us-east-1\n")
    assert "config.aws:region: unknown key" in refusal(path)
    with pytest.raises(ConfigError, match="aws:region: unknown key"):
        from_config({**flat("inland-region", REGION), "aws:region": "us-east-1"})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("inland-region:edge", "{", "inland-region:edge: not JSON"),
        ("inland-region:monthlyBudgetUsd", '"500"', "should be a whole number"),
        ("inland-region:edge", '{"instancetype": "x"}', "did you mean 'instanceType'"),
        ("inland-region:accountId", "1", "inland-region:accountId: "),
    ],
)
def test_a_program_hears_the_key_and_the_cure(key: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config({**flat("inland-region", REGION), key: value})
    assert words in str(caught.value)


def test_an_account_of_digits_stays_text() -> None:
    assert from_config(flat("inland-region", REGION)).account_id == "111122223333"


def test_a_file_without_configuration_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.eu-central-1.yaml"
    path.write_text(yaml.safe_dump({"encryptionsalt": "x"}))
    assert "config: is missing: add it" in refusal(path)


def test_a_domain_too_long_for_a_certificates_first_name_is_refused(tmp_path: Path) -> None:
    label = "a" * 58
    assert load_stack(write(tmp_path / "62", "eu-central-1", REGION | {"domain": f"{label}.org"}))
    words = refusal(write(tmp_path / "63", "eu-central-1", REGION | {"domain": f"{label}b.org"}))
    assert "domain" in words and "62" in words
