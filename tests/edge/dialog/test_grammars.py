"""What the demo agents suggest can be said, and what can be said can be heard."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge.dialog.agent import AgentSpec, load_agents
from edge.dialog.expectations import Expectations
from edge.dialog.flow_state import FlowState, SlotValue
from edge.dialog.slots import (
    ChoiceSlot,
    DateSlot,
    DigitsSlot,
    NameSlot,
    Slot,
    TimeSlot,
    YesNoSlot,
)
from edge.events import Expectation
from tests.fakes.dialog import AGENTS

NOT_IN_CMUDICT: frozenset[str] = frozenset()
"""Words an engine must learn by other means; none at present."""
MAX_JSGF_TOKENS = 2500
"""pocketsphinx compiles this much in about 0.15 s and hears it at 0.05 CPU seconds a second."""


def value_of(slot: Slot) -> SlotValue:
    match slot:
        case DateSlot():
            return "2026-11-24"
        case TimeSlot():
            return slot.opens
        case NameSlot():
            return "Smith"
        case ChoiceSlot():
            return slot.choices[0].value
        case YesNoSlot():
            return True
        case DigitsSlot():
            return "1" * slot.least


def states(spec: AgentSpec) -> Iterator[FlowState]:
    """Every step of the agent that a caller can reach by answering in order, and its side steps."""
    for rescue in (False, True):
        yield FlowState(rescue=rescue)
        yield FlowState(mode="more", rescue=rescue)
        for intent in spec.flow.intents:
            values: dict[str, SlotValue] = {}
            for slot in intent.slots:
                step = FlowState(mode="slot", intent=intent.id, slot=slot.id, rescue=rescue)
                yield step.but(values=dict(values))
                values[slot.id] = value_of(slot)
            for slot in intent.slots:
                others = {name: value for name, value in values.items() if name != slot.id}
                step = FlowState(mode="slot", intent=intent.id, slot=slot.id, rescue=rescue)
                yield step.but(values=others)
                if intent.conflict is not None and slot.id == intent.conflict.slot:
                    yield step.but(values=values, offers=(others,) * 3)
            if intent.slots:
                yield FlowState(mode="confirm", intent=intent.id, values=values, rescue=rescue)
                yield FlowState(mode="change", intent=intent.id, values=values, rescue=rescue)


SPECS = load_agents(AGENTS)
STEPS = [
    pytest.param(spec, state, id=f"{name}-{state.intent}-{state.slot or state.mode}-{number}")
    for name, spec in SPECS.items()
    for number, state in enumerate(states(spec))
]


def expectation_of(spec: AgentSpec, state: FlowState) -> tuple[Expectations, Expectation]:
    expectations = Expectations(spec)
    return expectations, expectations.of(state)


@pytest.mark.parametrize(("spec", "state"), STEPS)
def test_every_suggested_phrase_is_in_the_grammar_of_its_step(
    spec: AgentSpec, state: FlowState
) -> None:
    expectations, expectation = expectation_of(spec, state)
    assert expectations.suggestions(state)
    for phrase in (*expectations.suggestions(state), *expectation.phrases):
        assert expectation.grammar.parse(phrase.split()) is not None, phrase


@pytest.mark.parametrize(("spec", "state"), STEPS)
def test_every_step_hears_the_global_commands(spec: AgentSpec, state: FlowState) -> None:
    _, expectation = expectation_of(spec, state)
    commands = {
        "say that again please": "repeat",
        "help": "help",
        "start over": "restart",
        "never mind": "never_mind",
        "goodbye": "goodbye",
        f"i want to talk to {spec.escalation.words[0]}": "human",
    }
    for phrase, command in commands.items():
        match = expectation.grammar.parse(phrase.split())
        assert match is not None, phrase
        assert match.first("command") == command


@pytest.mark.parametrize(("spec", "state"), STEPS)
def test_every_grammar_stays_small(spec: AgentSpec, state: FlowState) -> None:
    _, expectation = expectation_of(spec, state)
    tokens = re.findall(r"[a-z']+", expectation.grammar.jsgf)
    assert len(tokens) < MAX_JSGF_TOKENS


@pytest.mark.parametrize(("spec", "state"), STEPS)
def test_nothing_but_silence_is_no_sentence(spec: AgentSpec, state: FlowState) -> None:
    _, expectation = expectation_of(spec, state)
    assert expectation.grammar.parse(()) is None


def test_the_same_step_gives_the_same_grammar_object() -> None:
    spec = SPECS["clinic-reception"]
    expectations = Expectations(spec)
    assert expectations.of(FlowState()) is expectations.of(FlowState(misses=1))


@cache
def dictionary() -> frozenset[str]:
    found = find_spec("pocketsphinx")
    if found is None or found.origin is None:
        return frozenset()
    path = Path(os.path.dirname(found.origin)) / "model" / "en-us" / "cmudict-en-us.dict"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return frozenset(line.split(maxsplit=1)[0] for line in lines)


@pytest.mark.parametrize(("spec", "state"), STEPS)
def test_every_word_can_be_heard_by_the_embedded_recogniser(
    spec: AgentSpec, state: FlowState
) -> None:
    if not dictionary():
        pytest.skip("pocketsphinx and its dictionary are not installed")
    _, expectation = expectation_of(spec, state)
    assert expectation.grammar.vocabulary - dictionary() <= NOT_IN_CMUDICT
