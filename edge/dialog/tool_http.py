"""A tool behind an HTTP endpoint that speaks JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import quote

import aiohttp

from edge.dialog.agent import HttpTool, Parameter
from edge.dialog.endpoints import tool_endpoint
from edge.dialog.errors import (
    ToolConflictError,
    ToolGarbledError,
    ToolRefusedError,
    ToolTimeoutError,
    ToolUnreachableError,
)
from edge.dialog.plain_json import parse_json
from edge.dialog.template import fields_of
from edge.dialog.tools import MAX_ANSWER_BYTES
from edge.events import JsonValue
from edge.outbound import Outbound, OutboundRefused
from regions.models import DataClass

_QUERY_METHODS = ("GET", "DELETE")
_TRY_LATER = (408, 425, 429)


class HttpBoundTool:
    """Calls the endpoint with the ``Idempotency-Key`` header (IETF httpapi draft) of the call."""

    def __init__(self, spec: HttpTool, url: str, outbound: Outbound) -> None:
        self.name = spec.name
        self.description = spec.description
        self.parameters: Mapping[str, Parameter] = spec.parameters
        self.idempotent = spec.idempotent
        self._spec = spec
        self._outbound = outbound
        self._endpoint = tool_endpoint(spec, url)

    async def call(self, call_id: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        """The JSON of a 2xx answer. Raises ``ToolError``."""
        path, rest = self._place(arguments)
        in_query = self._spec.method in _QUERY_METHODS
        try:
            session = self._outbound.session(self._endpoint, DataClass.VARIABLES)
            async with (
                asyncio.timeout(self._spec.timeout_seconds),
                session.request(
                    self._spec.method,
                    path,
                    query={name: _text(value) for name, value in rest.items()}
                    if in_query
                    else None,
                    json=None if in_query else rest,
                    headers={"Idempotency-Key": call_id},
                ) as response,
            ):
                return _answer(response.status, await _body(response))
        except OutboundRefused as error:
            raise ToolRefusedError(str(error)) from error
        except TimeoutError as error:
            raise ToolTimeoutError("no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ToolUnreachableError("the connection failed") from error

    def _place(self, arguments: Mapping[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
        """The path with its arguments filled in, and the arguments that are left."""
        path, rest = self._spec.path, dict(arguments)
        for name in fields_of(path):
            value = _text(rest.pop(name))
            if value in ("", ".", ".."):
                raise ToolRefusedError(f"argument {name!r} cannot be part of an address")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path or "/", rest


async def _body(response: aiohttp.ClientResponse) -> JsonValue:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(MAX_ANSWER_BYTES):
        raw += chunk
        if len(raw) > MAX_ANSWER_BYTES:
            raise ToolGarbledError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    if not raw:
        return None
    try:
        return parse_json(raw)
    except ValueError as error:
        if response.status >= 300:
            return None
        raise ToolGarbledError("the answer is not JSON") from error


def _answer(status: int, body: JsonValue) -> JsonValue:
    if 200 <= status < 300:
        return body
    if status == 409:
        raise ToolConflictError("the service offers something else", body)
    if status >= 500 or status in _TRY_LATER:
        raise ToolUnreachableError(f"the service answered {status}", body)
    raise ToolRefusedError(f"the service answered {status}", body)


def _text(value: JsonValue) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
