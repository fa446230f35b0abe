from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.dialog.build import build_conductor
from edge.dialog.conductor import Conductor
from edge.dialog.endpoints import model_of
from edge.dialog.model_conductor import ModelConductor
from edge.events import Act, Expect, Handover, HangUp, Say, ToolCalled, ToolRecord, Turn
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from regions.models import DataClass
from regions.strict_yaml import ConfigError
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import (
    SESSION,
    TODAY,
    Desk,
    acts_of,
    agent,
    desk,
    heard,
    results,
    serving,
    words,
)
from tests.fakes.model_server import ModelServer, call, say

BOOKING = {"department": "dentist", "date": "2026-11-23", "time": "10:00", "name": "Smith"}


class Call(Desk):
    """A desk whose conductors talk by the model on ``model_url``."""

    model_url = ""
    model_region = "here"

    def by_model(self) -> Conductor:
        return build_conductor(
            self.spec,
            session_id=SESSION,
            today=lambda: TODAY,
            outbound=self.outbound,
            ledger=self.ledger,
            environ={
                "CLINIC_BOOKING_URL": self.url,
                "INLAND_MODEL_URL": f"{self.model_url}/v1",
                "INLAND_MODEL": "m",
                "INLAND_MODEL_REGION": self.model_region,
            },
        )


@asynccontextmanager
async def talking(*script: list[Any], status: int = 200) -> AsyncIterator[tuple[Call, ModelServer]]:
    server = ModelServer(*script, status=status)
    async with desk("clinic-reception") as clinic, serving(server.app) as url:
        found = Call(clinic.spec, clinic.url, clinic.outbound)
        found.model_url = url
        yield found, server


def told(server: ModelServer) -> list[tuple[str, str]]:
    """The last request's messages, without the system prompt."""
    return [(m["role"], m["content"]) for m in server.requests[-1]["messages"][1:]]


async def test_the_model_answers_clause_by_clause_and_then_listens() -> None:
    async with talking(say("Good morn", "ing, we are open. ", "Anything else?")) as (
        clinic,
        server,
    ):
        conductor = clinic.by_model()
        assert isinstance(conductor, ModelConductor)
        await acts_of(conductor.open(1))
        acts = await acts_of(conductor.respond(heard("are you open"), 2))
        assert acts[:2] == [Say("Good morning,"), Say("we are open.")]
        assert isinstance(acts[-1], Expect)
        system = server.requests[0]["messages"][0]["content"]
        assert "receptionist" in system
        assert "Saturday, 2026-11-21" in system
        assert told(server)[0] == ("assistant", clinic.spec.greeting)


async def test_the_model_is_told_only_what_was_heard() -> None:
    async with talking(say("One two three four."), say("Fine.")) as (clinic, server):
        conductor = clinic.by_model()
        await acts_of(conductor.respond(heard("count"), 2))
        conductor.played("One two", False)
        await acts_of(conductor.respond(heard("stop"), 3))
        assert told(server) == [("user", "count"), ("assistant", "One two"), ("user", "stop")]


async def test_a_tool_is_called_and_its_result_told_to_the_model() -> None:
    script = (call("book_appointment", BOOKING), say("Booked."))
    async with talking(*script) as (clinic, server):
        acts = await acts_of(clinic.by_model().respond(heard("book it"), 2))
        (called,) = [act for act in acts if isinstance(act, ToolCalled)]
        assert called.call_id == f"{SESSION}:2:1"
        assert results(acts)[0].ok
        assert words(acts) == "Booked."
        result = server.requests[1]["messages"][-1]
        assert result["role"] == "tool"
        assert json.loads(result["content"])["ok"] is True


@pytest.mark.parametrize("arguments", ['{"a": ', "[]", "NaN", "[" * 50_000, '{"date": 1}'])
async def test_malformed_arguments_are_refused_and_the_model_may_try_again(arguments: str) -> None:
    piece = {
        "index": 0,
        "id": "c",
        "function": {"name": "book_appointment", "arguments": arguments},
    }
    async with talking([{"tool_calls": [piece]}], say("Sorry.")) as (clinic, _):
        acts = await acts_of(clinic.by_model().respond(heard("book"), 2))
        assert not results(acts)[0].ok
        assert words(acts) == "Sorry."


async def test_a_model_that_only_calls_tools_is_stopped() -> None:
    rounds = [call("opening_hours", {"topic": "hours"}) for _ in range(9)]
    async with talking(*rounds) as (clinic, server):
        acts = await acts_of(clinic.by_model().respond(heard("hours"), 2))
        assert len(server.requests) == 4
        assert len({result.call_id for result in results(acts)}) == 4
        assert isinstance(acts[-1], Expect)


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_when_the_model_fails_the_flow_answers_the_same_words(status: int) -> None:
    async with talking(status=status) as (clinic, server):
        conductor = clinic.by_model()
        first = await acts_of(conductor.respond(heard("book an appointment"), 2))
        assert words(first) == "General practice, or dentist?"
        second = await acts_of(conductor.respond(heard("dentist"), 3))
        assert words(second) == "Dentist. Which day?"
        assert len(server.requests) == 1


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1.b"])
async def test_a_model_that_may_not_be_asked_is_not_and_the_flow_answers(region: str) -> None:
    async with talking(say("I would have heard that")) as (clinic, server):
        clinic.model_region = region
        conductor = clinic.by_model()
        await acts_of(conductor.open(1))
        [acts] = await clinic.say(conductor, "what are your opening hours")
        assert "open" in words(acts).lower()
        assert server.requests == []


async def test_a_model_in_an_allowed_region_that_is_not_listed_there_is_not_asked() -> None:
    async with talking(say("I would have heard that")) as (clinic, server):
        clinic.model_region = "eu-west-1"
        allowed = dict.fromkeys(DataClass, ("eu-central-1", "eu-west-1"))
        async with Pool() as pool:
            clinic.outbound = Outbound(
                here="eu-central-1", allowed=allowed, pool=pool, ledger=Ledger(FakeClock())
            )
            conductor = clinic.by_model()
            await acts_of(conductor.open(1))
            [acts] = await clinic.say(conductor, "what are your opening hours")
        assert "open" in words(acts).lower()
        assert server.requests == []


async def test_a_model_that_breaks_off_is_followed_by_a_question_not_a_second_answer() -> None:
    async with talking([*say("You can come on "), *say("Monday. And "), "drop"]) as (clinic, _):
        acts = await acts_of(clinic.by_model().respond(heard("when"), 2))
        assert words(acts).endswith("Sorry, I have some trouble. How can I help?")


async def test_the_model_can_give_the_caller_to_a_person_and_end_the_call() -> None:
    script = ([*say("One moment."), *call("transfer_to_person", {"summary": "billing"})],)
    async with talking(*script, call("end_call", {})) as (clinic, _):
        conductor = clinic.by_model()
        acts = await acts_of(conductor.respond(heard("a human"), 2))
        assert acts[-1] == Handover("requested", "billing")
        assert (await acts_of(conductor.respond(heard("bye"), 3)))[-1] == HangUp("completed")


async def test_a_tool_cut_off_is_settled_with_its_own_key_on_another_node() -> None:
    script = (call("book_appointment", BOOKING), say("It is booked."))
    async with talking(*script) as (clinic, _):
        conductor = clinic.by_model()
        answer = conductor.respond(heard("book it"), 2)
        async for act in answer:
            if isinstance(act, ToolCalled):
                break
        await answer.aclose()  # type: ignore[attr-defined]
        other = clinic.by_model()
        other.restore(json.loads(json.dumps(conductor.state())), [])
        acts = await acts_of(other.resume(3))
        assert results(acts)[0].call_id == f"{SESSION}:2:1"
        assert words(acts) == "Sorry, we were cut off. It is booked."


async def test_a_restored_model_knows_the_committed_turns_and_their_tools() -> None:
    record = ToolRecord("s:2:1", "opening_hours", {"topic": "hours"}, True, {"answer": "x"})
    history = [
        Turn(1, "", "Clinic.", False, 0.0),
        Turn(2, "hours", "From eight", True, 0.0, (record,)),
    ]
    async with talking(say("Yes.")) as (clinic, server):
        conductor = clinic.by_model()
        conductor.restore(None, history)
        await acts_of(conductor.respond(heard("and monday"), 3))
        assert [role for role, _ in told(server)] == [
            "assistant",
            "user",
            "assistant",
            "tool",
            "assistant",
            "user",
        ]
        assert told(server)[4] == ("assistant", "From eight")


async def test_silence_ends_a_call_by_model_too() -> None:
    async with talking() as (clinic, _):
        conductor = clinic.by_model()
        said: list[Act] = []
        for turn in range(2, 5):
            said += await acts_of(conductor.quiet(turn))
        assert words(said).startswith("Are you still there? Are you still there?")
        assert said[-1] == HangUp("idle")


@pytest.mark.parametrize(
    ("environ", "cure"),
    [
        ({"INLAND_MODEL_URL": "https://x/v1"}, "name the model"),
        ({"INLAND_MODEL_URL": "https://x/v1", "INLAND_MODEL": "m"}, "name the region"),
        (
            {"INLAND_MODEL_URL": "x?key=s3cret", "INLAND_MODEL": "m", "INLAND_MODEL_REGION": "r"},
            "malformed",
        ),
    ],
)
def test_an_incomplete_model_setting_says_what_is_missing(
    environ: dict[str, str], cure: str
) -> None:
    with pytest.raises(ConfigError, match=cure) as caught:
        model_of(agent("clinic-reception"), environ)
    assert "s3cret" not in str(caught.value)
