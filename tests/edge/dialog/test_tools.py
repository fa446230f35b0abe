from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from edge.dialog.agent import HttpTool, Parameter, PythonTool
from edge.dialog.errors import ToolConflictError, ToolError, ToolTimeoutError
from edge.dialog.tool_http import HttpBoundTool
from edge.dialog.tool_python import PythonBoundTool, tool
from edge.dialog.tools import (
    FILLER,
    MAX_ANSWER_BYTES,
    ToolRequest,
    ToolRunner,
    argument_fault,
    parameters_schema,
)
from edge.events import JsonValue, Say, ToolCalled, ToolReturned
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from regions.models import DataClass
from regions.strict_yaml import ConfigError
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import serving
from tests.fakes.ledger import FakeLedger

REQUEST = ToolRequest("s:1:1", "thing", {"word": "hi"})
WORD = {"word": Parameter(type="string", max_length=5)}


class ScriptedTool:
    """Answers with the scripted outcomes in turn; an event is waited for."""

    name, description = "thing", ""
    parameters: Mapping[str, Parameter] = WORD

    def __init__(self, *script: JsonValue | ToolError | asyncio.Event, idempotent: bool) -> None:
        self.idempotent = idempotent
        self.script = list(script)
        self.keys: list[str] = []
        self.cancelled = False

    async def call(self, call_id: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        self.keys.append(call_id)
        outcome = self.script.pop(0)
        if isinstance(outcome, asyncio.Event):
            try:
                await outcome.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            return "late"
        if isinstance(outcome, ToolError):
            raise outcome
        return outcome


async def outcome(runner: ToolRunner, *, again: bool = False) -> ToolReturned:
    last = [act async for act in runner.run(REQUEST, again=again)][-1]
    assert isinstance(last, ToolReturned)
    return last


async def test_a_call_is_pending_before_it_runs_and_settled_after() -> None:
    ledger = FakeLedger()
    scripted = ScriptedTool("done", idempotent=False)
    acts = []
    async for act in ToolRunner({"thing": scripted}, ledger).run(REQUEST):
        if isinstance(act, ToolCalled):
            assert ledger.pending_calls == ["s:1:1"]
            assert scripted.keys == []
        acts.append(act)
    assert acts == [
        ToolCalled("s:1:1", "thing", {"word": "hi"}),
        ToolReturned("s:1:1", "thing", True, "done"),
    ]
    assert ledger.records["s:1:1"].output == "done"


async def test_a_settled_call_is_never_run_again() -> None:
    ledger = FakeLedger()
    scripted = ScriptedTool("done", "twice", idempotent=True)
    runner = ToolRunner({"thing": scripted}, ledger)
    assert await outcome(runner) == await outcome(runner, again=True)
    assert scripted.keys == ["s:1:1"]


async def test_a_lost_answer_is_asked_for_once_more_with_the_same_key() -> None:
    scripted = ScriptedTool(ToolTimeoutError("slow"), "done", idempotent=True)
    assert (await outcome(ToolRunner({"thing": scripted}, FakeLedger()))).ok
    assert scripted.keys == ["s:1:1", "s:1:1"]


async def test_a_lost_answer_of_a_tool_without_keys_is_unknown_and_not_repeated() -> None:
    ledger = FakeLedger()
    scripted = ScriptedTool(ToolTimeoutError("slow"), idempotent=False)
    result = await outcome(ToolRunner({"thing": scripted}, ledger))
    assert result.output == {"error": "unknown", "body": None}
    assert scripted.keys == ["s:1:1"]
    assert "s:1:1" in ledger.records


async def test_a_call_without_any_answer_stays_pending_for_the_next_try() -> None:
    ledger = FakeLedger()
    lost = ToolTimeoutError("slow")
    scripted = ScriptedTool(lost, lost, "done", idempotent=True)
    runner = ToolRunner({"thing": scripted}, ledger)
    assert (await outcome(runner)).output == {"error": "timeout", "body": None}
    assert ledger.records == {}
    assert (await outcome(runner, again=True)).ok


async def test_a_conflict_is_an_answer_and_not_retried() -> None:
    scripted = ScriptedTool(ToolConflictError("taken", {"alternatives": []}), idempotent=True)
    result = await outcome(ToolRunner({"thing": scripted}, FakeLedger()))
    assert result.output == {"error": "conflict", "body": {"alternatives": []}}
    assert len(scripted.keys) == 1


async def test_a_slow_tool_is_bridged_with_words_and_runs_meanwhile() -> None:
    gate = asyncio.Event()
    scripted = ScriptedTool(gate, idempotent=True)
    acts: list[object] = []
    async for act in ToolRunner({"thing": scripted}, FakeLedger(), filler_seconds=0.0).run(REQUEST):
        acts.append(act)
        if act == Say(FILLER):
            gate.set()
    assert acts[1:] == [Say(FILLER), ToolReturned("s:1:1", "thing", True, "late")]


async def test_closing_the_iterator_cancels_the_tool_and_leaves_the_call_pending() -> None:
    ledger = FakeLedger()
    scripted = ScriptedTool(asyncio.Event(), idempotent=True)
    acts = ToolRunner({"thing": scripted}, ledger, filler_seconds=0.0).run(REQUEST)
    async for act in acts:
        if isinstance(act, Say):
            await asyncio.sleep(0)
            break
    await acts.aclose()
    assert scripted.cancelled
    assert ledger.records == {}


@pytest.mark.parametrize(
    "arguments", [{}, {"word": 1}, {"word": "longer"}, {"word": "a", "x": 1}, {"word": None}]
)
async def test_arguments_that_do_not_fit_are_never_sent(arguments: dict[str, JsonValue]) -> None:
    scripted = ScriptedTool(idempotent=True)
    runner = ToolRunner({"thing": scripted}, FakeLedger())
    request = ToolRequest("s:1:1", "thing", arguments)
    last = [act async for act in runner.run(request)][-1]
    assert isinstance(last, ToolReturned)
    assert isinstance(last.output, dict)
    assert last.output["error"] == "refused"
    assert scripted.keys == []


async def test_an_unknown_tool_is_refused() -> None:
    assert not (await outcome(ToolRunner({}, FakeLedger()))).ok


def test_parameters_are_json_schema_for_models() -> None:
    schema = parameters_schema(
        {
            "day": Parameter(type="string", description="YYYY-MM-DD"),
            "kind": Parameter(type="string", choices=("a", "b"), required=False),
        }
    )
    assert schema == {
        "type": "object",
        "properties": {
            "day": {"type": "string", "description": "YYYY-MM-DD"},
            "kind": {"type": "string", "enum": ["a", "b"]},
        },
        "required": ["day"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", [1], [True, 1.5, "1"]),
        ("number", [1, 1.5], [True, "1"]),
        ("boolean", [True], [1, "true"]),
    ],
)
def test_types_are_not_converted(kind: str, good: list[JsonValue], bad: list[JsonValue]) -> None:
    parameters = {"x": Parameter.model_validate({"type": kind})}
    assert all(argument_fault(parameters, {"x": value}) is None for value in good)
    assert all(argument_fault(parameters, {"x": value}) for value in bad)


# --- over HTTP ------------------------------------------------------------------------------------


@asynccontextmanager
async def http_tool(
    handler: web.RequestHandler | object, allowed: str = "here-1", timeout: float = 5.0
) -> AsyncIterator[HttpBoundTool]:
    app = web.Application()
    app.router.add_route("*", "/v1/{tail:.*}", handler)  # type: ignore[arg-type]
    spec = HttpTool(
        kind="http",
        name="thing",
        url="http://127.0.0.1",
        path="/v1/{word}",
        parameters=WORD | {"n": Parameter(type="integer", required=False)},
        timeout_seconds=timeout,
        idempotent=True,
    )
    async with serving(app) as url, Pool() as pool:
        allowed_regions = {DataClass.VARIABLES: [allowed]}
        yield HttpBoundTool(
            spec,
            url,
            Outbound(here="here-1", allowed=allowed_regions, pool=pool, ledger=Ledger(FakeClock())),
        )


async def test_arguments_go_quoted_into_the_path_and_into_the_body() -> None:
    async def echo(request: web.Request) -> web.Response:
        found = {
            "path": request.raw_path,
            "key": request.headers["Idempotency-Key"],
            "body": await request.json(),
        }
        return web.json_response(found)

    async with http_tool(echo) as bound:
        assert await bound.call("s:1:1", {"word": "a/?b", "n": 3}) == {
            "path": "/v1/a%2F%3Fb",
            "key": "s:1:1",
            "body": {"n": 3},
        }


@pytest.mark.parametrize("word", ["", ".", ".."])
async def test_an_argument_cannot_climb_out_of_its_path(word: str) -> None:
    async def never(request: web.Request) -> web.Response:
        raise AssertionError("reached")

    async with http_tool(never) as bound:
        with pytest.raises(ToolError, match="cannot be part"):
            await bound.call("k", {"word": word})


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b"{}", "refused"),
        (404, b"<html>", "refused"),
        (302, b"", "refused"),
        (409, b'{"alternatives": []}', "conflict"),
        (429, b"", "unreachable"),
        (500, b"oops", "unreachable"),
        (200, b"not json", "garbled"),
        (200, b"[" * 60_000, "garbled"),
        (200, b"NaN", "garbled"),
        (200, b'"' + b"x" * MAX_ANSWER_BYTES + b'"', "garbled"),
    ],
)
async def test_every_bad_answer_has_its_code(status: int, body: bytes, code: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Location": "http://127.0.0.2/"} if status == 302 else None
        return web.Response(status=status, body=body, headers=headers)

    async with http_tool(answer) as bound:
        with pytest.raises(ToolError) as caught:
            await bound.call("k", {"word": "a"})
        assert caught.value.code == code


async def test_a_service_that_hangs_is_left_in_time() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with http_tool(hang, timeout=0.05) as bound:
        with pytest.raises(ToolTimeoutError):
            await bound.call("k", {"word": "a"})


async def test_a_service_that_is_not_there_is_unreachable() -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with http_tool(drop) as bound:
        with pytest.raises(ToolError) as caught:
            await bound.call("k", {"word": "a"})
        assert caught.value.code == "unreachable"


async def test_a_tool_in_a_region_that_the_law_excludes_is_not_called() -> None:
    async def never(request: web.Request) -> web.Response:
        raise AssertionError("reached")

    async with http_tool(never, allowed="elsewhere-1") as bound:
        with pytest.raises(ToolError, match="variables may not be processed in here-1"):
            await bound.call("k", {"word": "a"})


# --- in Python ------------------------------------------------------------------------------------


@tool
def shout(word: str, times: int = 1) -> str:
    """Says it loudly."""
    return word.upper() * times


@tool
async def broken(word: str) -> str:
    raise KeyError(word)


@tool
async def sleepy() -> None:
    await asyncio.Event().wait()


@tool
def unserialisable() -> object:
    return object()


def undecorated() -> None: ...


def nowhere() -> Outbound:
    return Outbound(here="here-1", allowed={}, pool=Pool(), ledger=Ledger(FakeClock()))


def bound(name: str, **more: object) -> PythonBoundTool:
    found = {"kind": "python", "name": "thing", "call": f"{__name__}:{name}", **more}
    return PythonBoundTool(PythonTool.model_validate(found), nowhere())


async def test_a_python_tool_takes_its_parameters_from_its_signature() -> None:
    found = bound("shout")
    assert found.description == "Says it loudly."
    assert found.parameters["word"].required
    assert not found.parameters["times"].required
    assert await found.call("k", {"word": "hi", "times": 2}) == "HIHI"


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("broken", {"word": "secret"}, "garbled"),
        ("unserialisable", {}, "garbled"),
        ("sleepy", {}, "timeout"),
    ],
)
async def test_a_python_tool_that_breaks_ends_no_call_and_leaks_nothing(
    name: str, arguments: dict[str, JsonValue], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ToolError) as caught:
        await bound(name, timeout_seconds=0.05).call("k", arguments)
    assert caught.value.code == code
    assert "secret" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("call", "cure"),
    [
        (f"{__name__}:undecorated", "decorate the function"),
        (f"{__name__}:nothing", "no such function"),
        ("no.such.module:x", "cannot be imported"),
        ("os:system", "decorate the function"),
    ],
)
def test_only_a_decorated_function_can_be_a_tool(call: str, cure: str) -> None:
    with pytest.raises(ConfigError, match=cure):
        PythonBoundTool(PythonTool(kind="python", name="thing", call=call), nowhere())


def test_a_signature_that_no_agent_can_call_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="annotate"):

        @tool
        def variadic(*words: str) -> None: ...

    with pytest.raises(TypeError, match="annotate"):

        @tool
        def untyped(word) -> None:  # type: ignore[no-untyped-def]
            ...
