from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from edge.dialog.agent import AgentSpec, HttpTool, Model
from edge.provider_check import provider_problems
from regions.catalogue import load_catalogue
from regions.providers import Providers
from regions.strict_yaml import parse_yaml
from tests.fakes.dialog import agent

CLINIC = {"CLINIC_BOOKING_URL": "http://127.0.0.1:1"}
LISTED = """
providers:
  - id: words
    purposes: [model]
    endpoints: ["https://words.example"]
    region: eu-west-1
    operator: {name: Words Ltd, country: "IE"}
    data_classes: [transcript]
    needs_key: true
  - id: bookings
    purposes: [tool]
    endpoints: ["https://bookings.example"]
    region: eu-central-1
    operator: {name: Bookings GmbH, country: "DE"}
    data_classes: [variables]
"""


def problems(
    spec: AgentSpec, environ: Mapping[str, str] = CLINIC, listed: str = LISTED
) -> tuple[str, ...]:
    providers = parse_yaml(listed, "providers.yaml", Providers)
    return provider_problems([spec], providers, load_catalogue(), "eu-central-1", environ)


def clinic(**changes: Any) -> AgentSpec:
    return agent("clinic-reception").model_copy(update=changes)


def words(**changes: Any) -> Model:
    model = {
        "url": "https://words.example/v1",
        "model": "m",
        "region": "eu-west-1",
        "api_key_env": "KEY",
    }
    return Model.model_validate_json(json.dumps(model | changes))


def test_the_demos_agents_need_no_catalogue() -> None:
    for name in ("clinic-reception", "bank-callback"):
        assert problems(agent(name), listed="providers: []") == ()


def test_services_that_are_listed_where_the_agent_says_may_be_used() -> None:
    environ = {"CLINIC_BOOKING_URL": "https://bookings.example/v1", "KEY": "k"}
    assert problems(clinic(model=words()), environ) == ()


def test_a_tool_that_nobody_listed_is_named_with_its_agent_and_its_host() -> None:
    (problem, *_) = problems(clinic(), {"CLINIC_BOOKING_URL": "https://other.example/v1"})
    assert problem.startswith("agent 'clinic-reception': tool 'book_appointment': ")
    assert "https://other.example:443 is not in the provider catalogue" in problem


@pytest.mark.parametrize(
    ("model", "environ", "said"),
    [
        (words(region="here"), {"KEY": "k"}, "words runs in eu-west-1 and not in eu-central-1"),
        (words(url="https://bookings.example/v1", region="here"), {"KEY": "k"}, "not as model"),
        (words(url="https://no.example/v1"), {"KEY": "k"}, "https://no.example:443 is not in"),
        (words(url="http://words.example/v1"), {"KEY": "k"}, "https is required"),
        (words(), {}, "KEY is not set"),
        (words(), {"KEY": ""}, "KEY is not set"),
        (words(api_key_env=None), {}, "words answers only those who show a key"),
    ],
)
def test_a_model_that_may_not_be_used_is_named_with_the_reason(
    model: Model, environ: Mapping[str, str], said: str
) -> None:
    (problem,) = problems(clinic(model=model), {**CLINIC, **environ})
    assert problem.startswith("agent 'clinic-reception': model: ")
    assert said in problem


def test_the_operators_model_is_held_to_the_same_catalogue() -> None:
    environ = {
        **CLINIC,
        "INLAND_MODEL_URL": "https://elsewhere.example/v1",
        "INLAND_MODEL": "m",
        "INLAND_MODEL_REGION": "here",
    }
    (problem,) = problems(clinic(), environ)
    assert "https://elsewhere.example:443 is not in the provider catalogue" in problem


def test_an_address_with_a_secret_in_it_is_not_repeated() -> None:
    environ = {"CLINIC_BOOKING_URL": "https://me:s3cret@bookings.example/"}
    found = problems(clinic(), environ)
    assert found and "s3cret" not in "".join(found)


def test_an_entry_for_a_place_without_law_stops_the_start_even_when_unused() -> None:
    (problem,) = problems(clinic(), listed=LISTED.replace("eu-west-1", "eu-nowhere-1"))
    assert problem == "words: there is no region eu-nowhere-1"


def test_every_tool_is_checked() -> None:
    spec = agent("clinic-reception")
    http = [tool for tool in spec.tools if isinstance(tool, HttpTool)]
    assert len(problems(spec, {"CLINIC_BOOKING_URL": "https://other.example"})) == len(http) > 1
