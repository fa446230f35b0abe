"""A tool in the node's own process: a function that says with ``@tool`` that agents may call it."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_type_hints

from edge.dialog.agent import Parameter, PythonTool
from edge.dialog.errors import ToolError, ToolGarbledError, ToolTimeoutError
from edge.dialog.tools import MAX_ANSWER_BYTES
from edge.events import JsonValue
from edge.outbound import Outbound
from regions.models import DataClass
from regions.strict_yaml import ConfigError

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])
_MARK = "__inland_tool__"
_TYPES: dict[type, Literal["string", "integer", "number", "boolean"]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}


def tool(function: Function) -> Function:
    """Let agents call this function.

    Its parameters are keyword arguments of type ``str``, ``int``, ``float`` or ``bool``; a default
    makes one optional. It returns JSON. A plain function runs in a thread, a coroutine function on
    the loop. It may raise ``ToolError``. Raises ``TypeError`` for a signature of another kind.
    """
    hints = get_type_hints(function)
    parameters = {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = _TYPES.get(hints.get(name, object))
        if kind is None or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__}: {name}: annotate it as str, int, float or bool")
        required = parameter.default is parameter.empty
        parameters[name] = Parameter(type=kind, required=required)
    setattr(function, _MARK, parameters)
    return function


class PythonBoundTool:
    """Calls the function. Raises ``ConfigError`` when there is none with the decorator.

    What it is given counts as used in this process: what the function itself sends elsewhere,
    without our clients, nobody here can see.
    """

    def __init__(self, spec: PythonTool, outbound: Outbound) -> None:
        self._function = _find(spec)
        self.name = spec.name
        self.description = spec.description or (inspect.getdoc(self._function) or "")[:300]
        self.parameters: Mapping[str, Parameter] = getattr(self._function, _MARK)
        self.idempotent = spec.idempotent
        self._timeout = spec.timeout_seconds
        self._account = outbound.inside(spec.name, DataClass.VARIABLES)

    async def call(self, call_id: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        """What the function returns. Raises ``ToolError``.

        A plain function that outlives its time goes on in its thread; its answer is dropped.
        """
        self._account(sent=len(json.dumps(arguments, default=dict)))
        try:
            async with asyncio.timeout(self._timeout):
                if inspect.iscoroutinefunction(self._function):
                    answer = await self._function(**arguments)
                else:
                    answer = await asyncio.to_thread(self._function, **arguments)
            size = len(json.dumps(answer))
            self._account(received=size)
            if size > MAX_ANSWER_BYTES:
                raise ToolGarbledError("the answer is too large")
        except ToolError:
            raise
        except TimeoutError as error:
            raise ToolTimeoutError("no answer in time") from error
        except Exception as error:
            # The boundary to code that is not ours: whatever it raises must not end the call. The
            # message may hold personal data; the kind of error does not.
            logger.error("tool broke", extra={"reason": type(error).__name__})
            raise ToolGarbledError(f"the tool raised {type(error).__name__}") from error
        found: JsonValue = answer
        return found


def _find(spec: PythonTool) -> Callable[..., Any]:
    module, _, name = spec.call.partition(":")
    where = f"tool {spec.name!r}: call: {spec.call!r}"
    try:
        function = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ConfigError(f"{where}: the module cannot be imported: {error.name}") from error
    if not callable(function):
        raise ConfigError(f"{where}: the module has no such function")
    if not hasattr(function, _MARK):
        raise ConfigError(f"{where}: decorate the function with @edge.dialog.tool_python.tool")
    found: Callable[..., Any] = function
    return found
