"""What tells whom a conversation is about outlasts the intent that asked for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from edge.dialog.agent import AgentSpec
from edge.dialog.flow_state import MAX_LEARNT, FlowState, read_state
from edge.dialog.subjects import subjects_of, with_subjects
from edge.events import JsonValue
from tests.fakes.dialog import agent, desk

CALLBACK = ("a callback please", "one two three four five six")
BOUGHT = ("monday at ten", "yes")
CUSTOMER = ("customer", "123456")


def spec(**changes: Any) -> AgentSpec:
    told = agent("bank-callback").model_dump(mode="json", exclude_unset=True) | changes
    return AgentSpec.model_validate_json(json.dumps(told))


def again(state: JsonValue) -> JsonValue:
    """A state as it comes back from a store."""
    found: JsonValue = json.loads(json.dumps(state))
    return found


async def test_a_slot_that_the_agent_names_is_told_as_soon_as_it_is_filled() -> None:
    async with desk("bank-callback") as bank:
        conductor = bank.conductor()
        assert subjects_of(conductor.state()) == ()
        await bank.say(conductor, CALLBACK[0])
        assert subjects_of(conductor.state()) == ()
        await bank.say(conductor, CALLBACK[1], first=3)
        assert subjects_of(conductor.state()) == (CUSTOMER,)
        await bank.say(conductor, *BOUGHT, first=4)
        assert subjects_of(conductor.state()) == (CUSTOMER,), "the intent is over"


async def test_another_node_goes_on_with_what_is_known_and_a_correction_adds_to_it() -> None:
    async with desk("bank-callback") as bank:
        conductor = bank.conductor()
        await bank.say(conductor, *CALLBACK)
        other = bank.conductor()
        other.restore(again(conductor.state()), ())
        await bank.say(other, "start over", CALLBACK[0], "six five four three two one", first=4)
        assert subjects_of(again(other.state())) == (CUSTOMER, ("customer", "654321"))


async def test_a_slot_that_the_agent_does_not_name_tells_nobody() -> None:
    async with desk("bank-callback") as bank:
        bank.spec = spec(subject=())
        conductor = bank.conductor()
        await bank.say(conductor, *CALLBACK)
        assert subjects_of(conductor.state()) == ()


def test_a_state_of_another_version_of_the_agent_still_tells() -> None:
    other = FlowState(mode="slot", intent="gone", slot="x", subjects=(CUSTOMER,))
    assert read_state(other.model_dump(mode="json"), spec()).subjects == (CUSTOMER,)


def test_a_models_conductor_tells_what_its_flow_knows() -> None:
    flow = FlowState(subjects=(CUSTOMER,)).model_dump(mode="json")
    assert subjects_of({"model": {}, "flow": flow}) == (CUSTOMER,)


@pytest.mark.parametrize(
    "state",
    [None, [], "x", {}, {"flow": None}, {"flow": []}, {"subjects": 3}, {"subjects": ["ab", [1]]}],
)
def test_what_is_no_state_tells_nobody(state: Any) -> None:
    assert subjects_of(state) in ((), (("a", "b"),))


def test_a_state_that_names_too_many_names_no_more_than_are_kept() -> None:
    many: Any = {"subjects": [["customer", f"{n}"] for n in range(500)]}
    assert len(subjects_of(many)) == MAX_LEARNT


def test_the_first_values_stay_and_long_ones_are_none() -> None:
    state = FlowState()
    for number in range(MAX_LEARNT + 3):
        state = with_subjects(FlowState(values={"customer": f"{number}"}), state, ("customer",))
    assert [value for _, value in state.subjects] == [f"{n}" for n in range(MAX_LEARNT)]
    assert with_subjects(FlowState(values={"a": "x" * 201, "b": True}), FlowState(), "ab") == (
        FlowState(values={"a": "x" * 201, "b": True})
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subject": ["number"]}, "subject: there is no 'number' .known: customer"),
        ({"subject": ["customer", "customer"]}, "'customer' appears 2 times"),
        ({"subject_country": "DE"}, "subject_country: goes with the slot phone"),
        ({"subject": ["Customer"]}, "subject"),
    ],
)
def test_a_subject_that_is_no_slot_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec(**changes)


def test_a_slot_that_is_a_telephone_number_says_in_which_countrys_form() -> None:
    told = agent("bank-callback").model_dump(mode="json", exclude_unset=True)
    slot = told["flow"]["intents"][0]["slots"][0]
    slot["id"] = "phone"
    text = json.dumps(told).replace("{customer}", "{phone}").replace("{customer:", "{phone:")
    named = json.loads(text) | {"subject": ["phone"]}
    with pytest.raises(ValidationError, match="subject_country: goes with the slot phone"):
        AgentSpec.model_validate_json(json.dumps(named))
    found = AgentSpec.model_validate_json(json.dumps(named | {"subject_country": "DE"}))
    assert (found.subject, found.subject_country) == (("phone",), "DE")
