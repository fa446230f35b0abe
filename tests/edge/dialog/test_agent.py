from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dialog.agent import load_agent, load_agents
from edge.dialog.build import bind_tools
from edge.dialog.template import fill, lookup
from edge.events import HandoverTarget
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from regions.strict_yaml import ConfigError
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import AGENTS, agent

GOOD = (AGENTS / "clinic-reception.yaml").read_text(encoding="utf-8")


def test_both_demo_agents_load_by_their_ids() -> None:
    assert set(load_agents(AGENTS)) == {"clinic-reception", "bank-callback"}


@pytest.mark.parametrize(
    ("old", "new", "key", "cure"),
    [
        ("greeting:", "greting:", "greting", "did you mean 'greeting'"),
        ("kind: date", "kind: dat", "flow.intents[0].slots[1]", "date"),
        ("tool: book_appointment", "tool: book", "", "there is no 'book' (known: book_appointment"),
        ("for {name}.", "for {nam}.", "flow.intents[0]", "there is no 'nam' (known: date, dep"),
        ("for {name}.", "for {Name}.", "flow.intents[0]", "braces hold one lower-case name"),
        ("slot: time", "slot: tim", "flow.intents[0]", "conflict.slot: there is no 'tim'"),
        ('opens: "08:00"', 'opens: "18:00"', "slots[2]", "opens must be before closes"),
        ("least: 6", "least: 7", "slots[0]", "least must not be greater than most"),
        ("least: 6", "least: six", "slots[0]", "whole number"),
        ("- make an appointment", "- book an appointment", "flow", "appears 2 times"),
        ("- make an appointment", "- Make an appointment", "examples[1]", "match pattern"),
        ("version: 1", 'version: "1"', "version", "whole number"),
        ("/v1/appointments/{reference}", "/v1/appointments/{id}", "tools[1]", "path names {id}"),
        ("idempotent: true\n    timeout", "timeout", "idempotent", "is missing: add it"),
        ("phrases: [dentist, dental, teeth]", "phrases: [doctor]", "slots[0]", "two choices"),
    ],
)
def test_an_error_names_the_file_the_line_the_key_and_the_cure(
    tmp_path: Path, old: str, new: str, key: str, cure: str
) -> None:
    assert old in GOOD
    path = tmp_path / "agent.yaml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_agent(path)
    message = str(caught.value)
    assert f"{path}:" in message
    assert key in message
    assert cure in message


def test_arguments_that_a_python_tool_does_not_take_are_told_at_start(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(GOOD.replace("{topic: prices}", "{subject: prices}"), encoding="utf-8")
    outbound = Outbound(here="x", allowed={}, pool=Pool(), ledger=Ledger(FakeClock()))
    with pytest.raises(ConfigError, match="'prices': tool 'opening_hours' does not take subject"):
        bind_tools(load_agent(path), outbound, {"CLINIC_BOOKING_URL": "http://127.0.0.1:1"})


def test_two_files_with_one_id_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no agent here"):
        load_agents(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"b\.yaml: id: another file"):
        load_agents(tmp_path)


def test_a_missing_service_address_names_the_variable_to_set() -> None:
    outbound = Outbound(here="x", allowed={}, pool=Pool(), ledger=Ledger(FakeClock()))
    with pytest.raises(ConfigError, match="set CLINIC_BOOKING_URL"):
        bind_tools(agent("clinic-reception"), outbound, {})


@given(st.text(max_size=50))
def test_a_value_can_never_reach_further_than_its_hole(value: str) -> None:
    assert fill("a {x} b", lambda name: value) == f"a {value} b"
    assert fill("{x}", lambda name: "{y}") == "{y}"


def test_digits_are_spelled_and_results_are_found_by_path() -> None:
    assert fill("{result.reference:digits}", lambda name: "123") == "1 2 3"
    assert lookup({"a": {"b": 7}}, "a.b") == "7"
    assert lookup({"a": {"b": 7}}, "a") == ""
    assert lookup(None, "a") == ""
    assert len(fill("{x}", lambda name: "y" * 5000)) == 300


def test_the_manuals_example_is_an_agent(tmp_path: Path) -> None:
    manual = (AGENTS.parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text(manual.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load_agent(path).id == "front-desk"


@pytest.mark.parametrize(
    ("escalation", "key", "cure"),
    [
        ("{to: +4969123456}", "escalation.to", "text: put it in quotes"),
        ('{to: "069 123456"}', "escalation.to", 'write "+4969123456"'),
        ('{to: "+0691234567"}', "escalation.to", 'write "+4969123456"'),
        ('{to: "sip:desk@pbx.example?Replaces=x"}', "escalation.to", "neither a number nor"),
        ('{to: "sip:desk@pbx.example\\r\\nX-Evil: 1"}', "escalation.to", "neither a number nor"),
        ('{to: "sip:pbx.example;x=<>"}', "escalation.to", "neither a number nor"),
        ('{to: "tel:+4969123456"}', "escalation.to", "neither a number nor"),
        ('{to: "+4969123456", kind: warm}', "escalation.kind", "blind"),
        ("{kind: attended}", "escalation", "kind does nothing without to: add to"),
        ("{failed: Nobody is there.}", "escalation", "failed does nothing without to"),
        ('{too: "+4969123456"}', "escalation.too", "did you mean 'to'"),
    ],
)
def test_a_target_that_cannot_be_called_is_told(
    tmp_path: Path, escalation: str, key: str, cure: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agent(_with_escalation(tmp_path, escalation))
    assert key in str(caught.value)
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    "to", ["+4969123456", "sip:desk@pbx.example", "sips:4711@[2001:db8::1]:5061;transport=tls"]
)
def test_a_target_is_a_number_or_an_address(tmp_path: Path, to: str) -> None:
    path = _with_escalation(tmp_path, f'{{to: "{to}", kind: attended, announce: Please hold.}}')
    assert load_agent(path).escalation.target == HandoverTarget(to, "attended", "Please hold.")


def _with_escalation(tmp_path: Path, escalation: str) -> Path:
    path = tmp_path / "agent.yaml"
    head, _, rest = GOOD.partition("escalation:\n")
    kept = rest[rest.index("latency_budget_ms") :]
    path.write_text(f"{head}escalation: {escalation}\n{kept}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "cure"),
    [
        ('{"1": yes}', "yes"),
        ('{"12": "yes"}', "keys"),
        ('{"#": "yes"}', "keys"),
        ('{"1": "Yes!"}', "keys"),
    ],
)
def test_a_key_stands_for_one_phrase(tmp_path: Path, keys: str, cure: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(f"{GOOD}keys: {keys}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=cure):
        load_agent(path)


def test_keys_of_an_agent_file_are_phrases_and_a_person(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(f'{GOOD}keys: {{"1": "yes", "0": human}}\n', encoding="utf-8")
    spec = load_agent(path)
    assert spec.phrase_of("1") == "yes"
    assert spec.phrase_of("0") == spec.escalation.words[0]
    assert spec.phrase_of("10") is None
