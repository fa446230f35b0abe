"""What the keys of a telephone mean to an agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.dialog.agent import AgentSpec
from edge.events import Act, Expect, Handover, Heard
from tests.edge.dialog.test_model_conductor import talking, told
from tests.fakes.dialog import acts_of, desk, heard, words
from tests.fakes.model_server import say

KEYS = {"1": "yes", "2": "no", "9": "repeat that", "0": "human"}


def with_keys(spec: AgentSpec) -> AgentSpec:
    return spec.model_copy(update={"keys": KEYS})


def keyed(keys: str) -> Heard:
    return replace(heard(keys), keyed=True)


def wanted(acts: list[Act]) -> int:
    """How many keys are a whole answer after these acts."""
    assert isinstance(acts[-1], Expect)
    return acts[-1].expectation.keys


async def test_figures_that_were_keyed_fill_the_slot_that_asks_for_them() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        (asked,) = await clinic.say(conductor, "cancel my appointment")
        assert wanted(asked) == 6
        acts = await acts_of(conductor.respond(keyed("459201"), 3))
        assert "4 5 9 2 0 1" in words(acts)
        assert wanted(acts) == 0


async def test_too_few_figures_are_told_and_asked_for_again() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, "cancel my appointment")
        acts = await acts_of(conductor.respond(keyed("45"), 3))
        assert "I heard 4 5. I need 6 digits." in words(acts)


async def test_keys_stand_for_phrases_only_if_the_agent_file_says_so() -> None:
    async with desk("clinic-reception") as clinic:
        for spec, answers in ((clinic.spec, False), (with_keys(clinic.spec), True)):
            clinic.spec = spec
            conductor = clinic.conductor()
            lines = ("book an appointment with the dentist on monday at ten", "Smith")
            *_, confirm = await clinic.say(conductor, *lines)
            assert wanted(confirm) == (1 if answers else 0)
            acts = await acts_of(conductor.respond(keyed("2"), 4))
            assert ("What should I change" in words(acts)) is answers


async def test_key_for_a_person_works_at_every_step_and_figures_are_not_taken_for_it() -> None:
    async with desk("clinic-reception") as clinic:
        clinic.spec = with_keys(clinic.spec)
        conductor = clinic.conductor()
        assert isinstance((await acts_of(conductor.respond(keyed("0"), 2)))[-1], Handover)
        conductor = clinic.conductor()
        (asked,) = await clinic.say(conductor, "cancel my appointment")
        assert wanted(asked) == 6, "the first figure of a number is not yet a wish"
        assert isinstance((await acts_of(conductor.respond(keyed("0"), 3)))[-1], Handover)


async def test_offered_person_is_accepted_by_a_key_although_figures_were_asked() -> None:
    async with desk("clinic-reception") as clinic:
        clinic.spec = with_keys(clinic.spec)
        conductor = clinic.conductor()
        await clinic.say(conductor, "cancel my appointment")
        acts: list[Act] = []
        for turn in range(3, 6):
            acts = await acts_of(conductor.respond(heard("", understood=False), turn))
        assert wanted(acts) == 1
        assert isinstance((await acts_of(conductor.respond(keyed("1"), 6)))[-1], Handover)


@pytest.mark.parametrize(("keys", "read"), [("4592", "(pressed 4592)"), ("2", "(pressed 2: no)")])
async def test_model_reads_which_keys_were_pressed_and_what_they_stand_for(
    keys: str, read: str
) -> None:
    async with talking(say("Thank you.")) as (clinic, server):
        clinic.spec = with_keys(clinic.spec)
        acts = await acts_of(clinic.by_model().respond(keyed(keys), 2))
        assert told(server)[-1] == ("user", read)
        assert wanted(acts) == 0, "only the model knows how many it asked for"


async def test_flow_takes_the_keys_when_the_model_fails() -> None:
    async with talking(status=500) as (clinic, _):
        clinic.spec = with_keys(clinic.spec)
        acts = await acts_of(clinic.by_model().respond(keyed("0"), 2))
        assert isinstance(acts[-1], Handover)
