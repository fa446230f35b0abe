"""Barge-in and crashes: an answer may be cut off at any act, and nothing that matters is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dialog.agent import AgentSpec
from edge.dialog.conductor import Conductor
from edge.dialog.engine import Engine
from edge.dialog.flow import FlowConductor
from edge.dialog.flow_state import FlowState, read_state
from edge.dialog.tools import ToolRunner
from edge.events import Act, Expect, JsonValue, ToolCalled
from inland.clinic.service import create_app
from tests.fakes.dialog import (
    NOW,
    SESSION,
    TODAY,
    acts_of,
    agent,
    desk,
    heard,
    results,
    serving,
    words,
)
from tests.fakes.ledger import FakeLedger

CONFIRMED = ("book an appointment with the dentist on monday at ten", "Smith")
SCRIPT = (*CONFIRMED, "no", "the time", "half past nine", "yes")


def again(state: JsonValue) -> JsonValue:
    """A state as it comes back from a store."""
    found: JsonValue = json.loads(json.dumps(state))
    return found


async def some_of(iterator: AsyncGenerator[Act, None], count: int) -> list[Act]:
    """The first ``count`` acts; then the caller interrupts."""
    acts = []
    async for act in iterator:
        acts.append(act)
        if len(acts) == count:
            break
    await iterator.aclose()
    return acts


def as_generator(iterator: object) -> AsyncGenerator[Act, None]:
    assert isinstance(iterator, AsyncGenerator)
    return iterator


async def appointments(url: str) -> list[dict[str, JsonValue]]:
    from aiohttp import ClientSession

    async with ClientSession() as http, http.get(f"{url}/v1/appointments") as response:
        found: list[dict[str, JsonValue]] = (await response.json())["appointments"]
        return found


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("cut", range(len(SCRIPT)))
async def test_an_answer_cut_off_at_any_act_keeps_what_was_understood(cut: int, count: int) -> None:
    async with desk("clinic-reception") as clinic:
        whole, broken = clinic.conductor(FakeLedger()), clinic.conductor(FakeLedger())
        for turn, line in enumerate(SCRIPT[: cut + 1], 2):
            await acts_of(whole.respond(heard(line), turn))
            answer = as_generator(broken.respond(heard(line), turn))
            if turn == cut + 2:
                await some_of(answer, count)
            else:
                await acts_of(answer)
        one, other = whole.state(), broken.state()
        assert isinstance(one, dict)
        assert isinstance(other, dict)
        if other["running"] is None:
            assert one == other
        else:
            assert cut == len(SCRIPT) - 1


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("how", ["respond", "resume", "quiet", "another node"])
async def test_a_tool_cut_off_runs_again_with_its_own_key_and_books_once(
    how: str, count: int
) -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, *CONFIRMED)
        acts = await some_of(as_generator(conductor.respond(heard("yes"), 4)), count)
        assert isinstance(acts[0], ToolCalled)
        conductor.played("", False)
        match how:
            case "respond":
                rest = conductor.respond(heard("hello"), 5)
            case "resume":
                rest = conductor.resume(5)
            case "quiet":
                rest = conductor.quiet(5)
            case _:
                state = conductor.state()
                conductor = clinic.conductor()
                conductor.restore(again(state), [])
                rest = conductor.resume(5)
        told = await acts_of(rest)
        assert set(clinic.ledger.pending_calls) == {f"{SESSION}:4:1"}
        if count == 1:
            assert results(told)[0].ok
        assert "It is booked." in words(told)
        assert len(await appointments(clinic.url)) == 1


async def test_cancelling_in_the_middle_of_a_request_leaves_the_call_open_and_not_doubled() -> None:
    """The service books, and its answer never arrives."""
    arrived = asyncio.Event()
    hold = True

    @web.middleware
    async def swallow(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        if hold and request.method == "POST":
            arrived.set()
            await asyncio.Event().wait()
        return response

    app = create_app(":memory:", lambda: NOW)
    app.middlewares.append(swallow)
    async with desk("clinic-reception") as clinic, serving(app) as url:
        clinic.url = url
        conductor = clinic.conductor()
        await clinic.say(conductor, *CONFIRMED)
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(acts_of(conductor.respond(heard("yes"), 4)))
            await arrived.wait()
            answer.cancel()
        hold = False
        told = await acts_of(conductor.respond(heard("hello"), 5))
        assert "It is booked." in words(told)
        assert len(await appointments(url)) == 1


class _Once:
    """A tool that does not honour the key, and hangs."""

    name = "book_appointment"
    description = ""
    idempotent = False

    def __init__(self, spec: AgentSpec) -> None:
        self.parameters = spec.tool(self.name).parameters  # type: ignore[union-attr]
        self.calls = 0

    async def call(self, call_id: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        self.calls += 1
        return {}


def scripted(spec: AgentSpec, ledger: FakeLedger) -> tuple[FlowConductor, _Once]:
    tool = _Once(spec)
    runner = ToolRunner({tool.name: tool}, ledger)
    conductor = FlowConductor(spec, session_id=SESSION, today=lambda: TODAY, runner=runner)
    return conductor, tool


async def test_a_pending_call_of_a_tool_without_keys_is_reported_unknown_and_not_repeated() -> None:
    spec = agent("clinic-reception")
    conductor, tool = scripted(spec, FakeLedger())
    for turn, line in enumerate(CONFIRMED, 2):
        await acts_of(conductor.respond(heard(line), turn))
    await some_of(conductor.respond(heard("yes"), 4), 1)
    told = await acts_of(conductor.resume(5))
    assert tool.calls == 0
    assert words(told) == (
        "I could not find out whether that went through. Shall I put you through to a person?"
    )
    assert isinstance(told[-1], Expect)


LINES = st.lists(
    st.sampled_from(
        [
            *SCRIPT,
            "dentist",
            "tomorrow",
            "on tuesday",
            "s m i t h",
            "no",
            "yes",
            "help",
            "say that again",
            "start over",
            "never mind",
            "change the date",
            "blah",
            "cancel my appointment",
            "123456",
            "what are your opening hours",
        ]
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=40)
@given(before=LINES, after=LINES)
async def test_a_restored_conductor_goes_on_exactly_as_the_one_that_died(
    before: list[str], after: list[str]
) -> None:
    async with desk("clinic-reception") as clinic:
        one = clinic.conductor(FakeLedger())
        turn = 1
        for turn, line in enumerate(before, 2):
            await acts_of(one.respond(heard(line), turn))
        state = again(one.state())
        other: Conductor = clinic.conductor(FakeLedger())
        other.restore(state, [])
        assert other.state() == state
        for number, line in enumerate(after, turn + 1):
            if line == "yes":
                continue  # two real bookings would compete; the transitions are the same
            assert await acts_of(one.respond(heard(line), number)) == await acts_of(
                other.respond(heard(line), number)
            )


async def test_the_end_of_a_booking_that_was_interrupted_is_told_once_more_and_no_further() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, *CONFIRMED, "yes")
        conductor.played("It is booked. Your", False)
        first, second = await clinic.say(conductor, "blah", "blah", first=5)
        assert words(first).startswith("It is booked. Your reference is")
        conductor.played("It is", False)
        assert "booked" not in words(second)


async def test_an_answer_that_needed_no_confirmation_is_not_repeated_after_an_interruption() -> (
    None
):
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, "what are your opening hours")
        conductor.played("We are", False)
        (acts,) = await clinic.say(conductor, "book an appointment", first=3)
        assert words(acts) == "General practice, or dentist?"


async def test_after_a_reconnect_what_was_not_heard_is_said_again() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        *_, last = await clinic.say(conductor, *CONFIRMED, "yes")
        conductor.played("It is", False)
        said = await acts_of(conductor.resume(5))
        assert words(said) == f"Sorry, we were cut off. {words(last)}"
        conductor.played(words(said), True)
        assert words(await acts_of(conductor.resume(6))) == "Sorry, we were cut off. Anything else?"


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        [],
        "x",
        {"mode": "slot"},
        {"mode": "slot", "intent": "gone", "slot": "date"},
        {"mode": "slot", "intent": "book", "slot": "gone"},
        {"mode": "slot", "intent": "book"},
        {"mode": "confirm", "intent": "book", "values": {"date": "2026-11-24"}},
        {"mode": "slot", "intent": "book", "slot": "time", "values": {"date": "not a date"}},
        {"mode": "slot", "intent": "hours", "slot": None, "offers": [{"time": "10:00"}]},
        {"mode": "intent", "values": {"date": "2026-11-24"}},
        {"mode": "more", "running": {"call_id": "x", "tool": "gone", "arguments": {}}},
    ],
)
def test_a_state_that_does_not_fit_the_agent_starts_afresh(state: JsonValue) -> None:
    spec = agent("clinic-reception")
    found = read_state(state, spec)
    assert found == FlowState()
    assert Engine(spec, lambda: TODAY, {}).question(found) == "How can I help?"


def test_state_of_an_intent_without_slots_keeps_its_running_tool() -> None:
    """An edge that dies while it looks up the prices must not forget that it was asked."""
    spec = agent("clinic-reception")
    topic: dict[str, JsonValue] = {"topic": "prices"}
    running: dict[str, JsonValue] = {
        "call_id": "s:2:1",
        "tool": "opening_hours",
        "arguments": topic,
    }
    found = read_state({"mode": "slot", "intent": "prices", "running": running}, spec)
    assert found.intent == "prices"
    assert found.running is not None
    assert found.running.call_id == "s:2:1"
