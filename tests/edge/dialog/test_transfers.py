"""A caller who asked for a person and got none is back where they were."""

from __future__ import annotations

import json

from edge.dialog.agent import AgentSpec
from edge.dialog.conductor import Conductor
from edge.events import Act, Expect, Handover, HandoverTarget, Turn
from tests.edge.dialog.test_model_conductor import talking
from tests.fakes.dialog import Desk, acts_of, agent, desk, heard, words
from tests.fakes.model_server import call, say

TO = "+4969123456"
FAILED = "Nobody is free right now."


def reachable(spec: AgentSpec) -> AgentSpec:
    """The agent with somebody to transfer to."""
    escalation = spec.escalation.model_copy(update={"to": TO, "failed": FAILED})
    return spec.model_copy(update={"escalation": escalation})


def moved(clinic: Desk, conductor: Conductor) -> Conductor:
    """Another node that takes over what this one committed."""
    other = clinic.conductor()
    other.restore(json.loads(json.dumps(conductor.state())), [])
    return other


def step(acts: list[Act]) -> str:
    """What is listened for after these acts."""
    assert isinstance(acts[-1], Expect)
    return acts[-1].expectation.name


async def asking(clinic: Desk) -> Conductor:
    """A caller asked for a person when the date was asked."""
    clinic.spec = reachable(clinic.spec)
    conductor = clinic.conductor()
    *_, acts = await clinic.say(
        conductor, "book an appointment with the dentist", "talk to a person"
    )
    (handover,) = [act for act in acts if isinstance(act, Handover)]
    assert handover.target == HandoverTarget(TO, "blind", "")
    return conductor


async def test_flow_goes_on_with_the_question_that_was_pending() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = await asking(clinic)
        acts = await acts_of(conductor.transfer_failed(4, "busy"))
        date = clinic.spec.flow.intent("book").slot("date").ask
        assert words(acts) == f"{FAILED} {date}"
        assert step(acts) == "book.date"
        (acts,) = await clinic.say(conductor, "on monday", first=5)
        assert step(acts) == "book.time"


async def test_flow_resumed_in_the_middle_of_a_transfer_tells_it_and_calls_nobody() -> None:
    async with desk("clinic-reception") as clinic:
        other = moved(clinic, await asking(clinic))
        acts = await acts_of(other.resume(4))
        assert words(acts).startswith(f"Sorry, we were cut off. {FAILED}")
        assert step(acts) == "book.date"
        again = await acts_of(moved(clinic, other).resume(5))
        assert words(again).startswith("Sorry, we were cut off."), "it is told once"
        (acts,) = await clinic.say(other, "talk to a person", first=5)
        assert isinstance(acts[-1], Handover), "asked for once more, a person is called again"


async def test_misunderstandings_before_a_failed_transfer_are_forgiven() -> None:
    async with desk("clinic-reception") as clinic:
        clinic.spec = reachable(clinic.spec)
        conductor = clinic.conductor()
        acts: list[Act] = []
        for turn in range(2, 7):
            acts = await acts_of(conductor.respond(heard("", understood=False), turn))
        assert isinstance(acts[-1], Handover)
        await acts_of(conductor.transfer_failed(7, "no_answer"))
        acts = await acts_of(conductor.respond(heard("", understood=False), 8))
        assert isinstance(acts[-1], Expect), "each further miss would call somebody"


async def test_caller_who_talks_before_the_promise_was_made_is_simply_answered() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = await asking(clinic)
        (acts,) = await clinic.say(conductor, "on monday", first=4)
        assert step(acts) == "book.time"
        assert FAILED not in words(await acts_of(moved(clinic, conductor).resume(5)))


async def test_model_is_told_of_the_failure_as_of_a_tool() -> None:
    script = (
        [*say("One moment."), *call("transfer_to_person", {"summary": "billing"})],
        say("They are busy. Shall I try to help?"),
    )
    async with talking(*script) as (clinic, server):
        conductor = clinic.by_model()
        await acts_of(conductor.respond(heard("a human"), 2))
        acts = await acts_of(conductor.transfer_failed(3, "busy"))
        assert words(acts) == "They are busy. Shall I try to help?"
        assert isinstance(acts[-1], Expect)
        *_, asked, told = server.requests[-1]["messages"]
        assert asked["tool_calls"][0]["function"]["name"] == "transfer_to_person"
        assert json.loads(told["content"]) == {"ok": False, "output": {"error": "busy"}}


async def test_model_cannot_call_for_a_person_again_before_the_caller_spoke() -> None:
    again = call("transfer_to_person", {"summary": "billing"})
    async with talking(again, again, say("I am sorry."), again) as (clinic, server):
        conductor = clinic.by_model()
        acts = await acts_of(conductor.respond(heard("a human"), 2))
        assert words(acts) == clinic.spec.escalation.say, "a caller is not sent away in silence"
        acts = await acts_of(conductor.transfer_failed(3, "busy"))
        assert not any(isinstance(act, Handover) for act in acts)
        names = [tool["function"]["name"] for tool in server.requests[-1]["tools"]]
        assert "transfer_to_person" not in names
        acts = await acts_of(conductor.respond(heard("try again"), 4))
        assert isinstance(acts[-1], Handover)


async def test_flow_finds_the_words_when_the_model_fails_too() -> None:
    async with talking(call("transfer_to_person", {})) as (clinic, server):
        clinic.spec = reachable(clinic.spec)
        conductor = clinic.by_model()
        await acts_of(conductor.respond(heard("a human"), 2))
        server.status = 500
        acts = await acts_of(conductor.transfer_failed(3, "busy"))
        assert words(acts).startswith(FAILED)
        assert isinstance(acts[-1], Expect)


async def test_resumed_model_tells_of_the_failure_and_calls_nobody() -> None:
    script = (call("transfer_to_person", {}), say("Nobody took the call."))
    async with talking(*script) as (clinic, server):
        conductor = clinic.by_model()
        await acts_of(conductor.respond(heard("a human"), 2))
        other = clinic.by_model()
        turns = [Turn(1, "a human", "One moment.", False, 0.0)]
        other.restore(json.loads(json.dumps(conductor.state())), turns)
        acts = await acts_of(other.resume(3))
        assert words(acts) == "Sorry, we were cut off. Nobody took the call."
        told = json.loads(server.requests[-1]["messages"][-1]["content"])
        assert told == {"ok": False, "output": {"error": "unknown"}}


def test_agents_without_a_target_end_as_before() -> None:
    assert agent("clinic-reception").escalation.target is None
