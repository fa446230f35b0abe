"""Tool calls, each run once and accounted for.

The ledger hears of a call before it runs and again when it is settled. A call that was cut off in
between is run again only if its tool honours the idempotency key; otherwise its outcome is
reported as unknown, never guessed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.dialog.agent import Parameter
from edge.dialog.errors import ToolError, ToolRefusedError
from edge.events import JsonValue, Say, ToolCalled, ToolRecord, ToolReturned

logger = logging.getLogger(__name__)

FILLER_SECONDS = 0.7
"""A tool that takes longer is bridged with words."""
FILLER = "One moment."
MAX_ANSWER_BYTES = 64 * 1024
"""Largest answer of a tool."""
UNKNOWN = "unknown"
"""The ``error`` of a call that may or may not have happened and cannot be asked for again."""
RETRYABLE = ("timeout", "unreachable")
"""The ``error`` of a call that got no answer, to a tool that honours the key: it stays pending."""


class ToolLedger(Protocol):
    """Where tool calls are written down, durably, for a session."""

    async def pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        """Write that this call is about to run; idempotent.

        Returns the settled record when this very call has run already.
        """
        ...

    async def settled(self, record: ToolRecord) -> None:
        """Write how it ended; idempotent."""
        ...


class BoundTool(Protocol):
    """A tool of an agent, ready to be called."""

    name: str
    description: str
    parameters: Mapping[str, Parameter]
    idempotent: bool

    async def call(self, call_id: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        """Run it. ``call_id`` is the idempotency key. Raises ``ToolError``."""
        ...


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call to be made."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


class ToolRunner:
    """Runs the tools of one session."""

    def __init__(
        self,
        tools: Mapping[str, BoundTool],
        ledger: ToolLedger,
        *,
        filler_seconds: float = FILLER_SECONDS,
    ) -> None:
        self.tools = tools
        self._ledger = ledger
        self._filler_seconds = filler_seconds

    async def run(
        self, request: ToolRequest, *, again: bool = False
    ) -> AsyncGenerator[Say | ToolCalled | ToolReturned, None]:
        """Make the call; the last act is its ``ToolReturned``.

        ``again`` says that the call was begun before and its end is not known. Closing the
        iterator, or cancelling, cancels the call and leaves it pending.
        """
        settled = await self._ledger.pending(request.call_id, request.name, request.arguments)
        if settled is not None:
            yield _returned(settled)
            return
        tool = self.tools.get(request.name)
        if again and tool is not None and not tool.idempotent:
            record = _record(request, ok=False, output={"error": UNKNOWN})
            await self._ledger.settled(record)
            yield _returned(record)
            return
        yield ToolCalled(request.call_id, request.name, request.arguments)
        # A TaskGroup cannot stand around a yield: it would wrap the GeneratorExit of a closed
        # iterator into an exception group. This task never outlives the try below.
        task = asyncio.get_running_loop().create_task(self._outcome(tool, request))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._filler_seconds)
            if not done:
                yield Say(FILLER)
            record = await task
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not _still_open(record):
            await self._ledger.settled(record)
        yield _returned(record)

    async def _outcome(self, tool: BoundTool | None, request: ToolRequest) -> ToolRecord:
        try:
            if tool is None:
                raise ToolRefusedError("there is no such tool")
            fault = argument_fault(tool.parameters, request.arguments)
            if fault is not None:
                raise ToolRefusedError(fault, fault)
            return _record(request, ok=True, output=await self._call(tool, request))
        except ToolError as error:
            logger.warning("tool call failed", extra={"code": error.code})
            # An action that cannot be asked for again and got no answer may have happened.
            lost = error.retry and tool is not None and not tool.idempotent
            code = UNKNOWN if lost else error.code
            return _record(request, ok=False, output={"error": code, "body": error.body})

    async def _call(self, tool: BoundTool, request: ToolRequest) -> JsonValue:
        try:
            return await tool.call(request.call_id, request.arguments)
        except ToolError as error:
            if not (error.retry and tool.idempotent):
                raise
        return await tool.call(request.call_id, request.arguments)


def argument_fault(
    parameters: Mapping[str, Parameter], arguments: Mapping[str, JsonValue]
) -> str | None:
    """What is wrong with the arguments, or None. Names the key, never the value."""
    for name in arguments:
        if name not in parameters:
            return f"unknown argument {name[:60]!r}"
    for name, parameter in parameters.items():
        if name not in arguments:
            if parameter.required:
                return f"missing argument {name!r}"
            continue
        if not _fits(arguments[name], parameter):
            return f"argument {name!r} is not what the tool takes"
    return None


def parameters_schema(parameters: Mapping[str, Parameter]) -> dict[str, JsonValue]:
    """The parameters as JSON Schema, for a model's function call."""
    properties: dict[str, JsonValue] = {}
    for name, parameter in parameters.items():
        schema: dict[str, JsonValue] = {"type": parameter.type}
        if parameter.description:
            schema["description"] = parameter.description
        if parameter.choices:
            schema["enum"] = list(parameter.choices)
        properties[name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, parameter in parameters.items() if parameter.required],
        "additionalProperties": False,
    }


def _fits(value: JsonValue, parameter: Parameter) -> bool:
    match parameter.type:
        case "string":
            return (
                isinstance(value, str)
                and len(value) <= parameter.max_length
                and (not parameter.choices or value in parameter.choices)
            )
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)


def _record(request: ToolRequest, *, ok: bool, output: JsonValue) -> ToolRecord:
    return ToolRecord(request.call_id, request.name, request.arguments, ok, output)


def _still_open(record: ToolRecord) -> bool:
    return isinstance(record.output, Mapping) and (
        not record.ok and record.output.get("error") in RETRYABLE
    )


def _returned(record: ToolRecord) -> ToolReturned:
    return ToolReturned(record.call_id, record.name, record.ok, record.output)
