"""From an agent file to a conductor that is ready to talk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from edge.dialog.agent import AgentSpec, HttpTool, Model, PythonTool, arguments_for
from edge.dialog.conductor import Conductor
from edge.dialog.flow import FlowConductor
from edge.dialog.model_conductor import ModelConductor
from edge.dialog.models import SseChatModel
from edge.dialog.tool_http import HttpBoundTool
from edge.dialog.tool_python import PythonBoundTool
from edge.dialog.tools import BoundTool, ToolLedger, ToolRunner
from edge.outbound import Outbound, Pool
from regions.strict_yaml import ConfigError

MODEL_URL, MODEL_NAME = "INLAND_MODEL_URL", "INLAND_MODEL"
MODEL_KEY, MODEL_REGION = "INLAND_MODEL_KEY", "INLAND_MODEL_REGION"


def build_conductor(
    spec: AgentSpec,
    *,
    session_id: str,
    today: Callable[[], dt.date],
    outbound: Outbound,
    ledger: ToolLedger,
    environ: Mapping[str, str],
) -> Conductor:
    """The conductor of one session.

    ``today`` gives the day in the caller's zone. With a model (``INLAND_MODEL_URL``, else the
    agent's own) it talks by the model and falls back to the flow. Raises ``ConfigError`` when a
    tool or the model is not complete; the same call at start-up finds that early.
    """
    tools = bind_tools(spec, outbound, environ)
    runner = ToolRunner(tools, ledger)
    flow = FlowConductor(spec, session_id=session_id, today=today, runner=runner)
    model = model_of(spec, environ)
    if model is None:
        return flow
    key = environ.get(model.api_key_env) if model.api_key_env else None
    chat = SseChatModel(model, key, outbound)
    return ModelConductor(
        spec, session_id=session_id, today=today, runner=runner, model=chat, fallback=flow
    )


def check_agent(spec: AgentSpec, environ: Mapping[str, str]) -> None:
    """Raise ``ConfigError`` for what :func:`build_conductor` would refuse at the first call."""
    nowhere = Outbound(here="", allowed={}, pool=Pool())
    bind_tools(spec, nowhere, environ)
    model_of(spec, environ)


def bind_tools(
    spec: AgentSpec, outbound: Outbound, environ: Mapping[str, str]
) -> dict[str, BoundTool]:
    """The agent's tools, ready to be called. Raises ``ConfigError``."""
    tools = {tool.name: _bind(tool, outbound, environ) for tool in spec.tools}
    for intent in spec.flow.intents:
        if intent.tool is None:
            continue
        parameters = tools[intent.tool].parameters
        given = arguments_for(intent, tuple(parameters))
        missing = [n for n, p in parameters.items() if p.required and n not in given]
        unknown = [n for n in given if n not in parameters]
        for problem, names in (("needs", missing), ("does not take", unknown)):
            if names:
                where = f"agent {spec.id!r}: intent {intent.id!r}"
                raise ConfigError(f"{where}: tool {intent.tool!r} {problem} {', '.join(names)}")
    return tools


def model_of(spec: AgentSpec, environ: Mapping[str, str]) -> Model | None:
    """The model to talk by: the operator's (environment), else the agent's, else None.

    Raises ``ConfigError``.
    """
    url = environ.get(MODEL_URL)
    if not url:
        return spec.model
    name = environ.get(MODEL_NAME)
    if not name:
        raise ConfigError(f"{MODEL_URL} is set and {MODEL_NAME} is not: name the model")
    region = environ.get(MODEL_REGION)
    if not region:
        raise ConfigError(
            f'{MODEL_URL} is set and {MODEL_REGION} is not: name the region it runs in, or "here"'
        )
    try:
        return Model(
            url=url,
            model=name,
            region=region,
            api_key_env=MODEL_KEY if environ.get(MODEL_KEY) else None,
        )
    except ValueError as error:
        # pydantic's message would repeat the address, which may hold a secret.
        raise ConfigError(
            f"{MODEL_URL}, {MODEL_NAME} or {MODEL_REGION} is malformed: the address is "
            "http(s)://host/path without query"
        ) from error


def _bind(tool: HttpTool | PythonTool, outbound: Outbound, environ: Mapping[str, str]) -> BoundTool:
    if isinstance(tool, PythonTool):
        return PythonBoundTool(tool)
    url = (environ.get(tool.url_env) if tool.url_env else None) or tool.url
    if url is None:
        raise ConfigError(f"tool {tool.name!r}: set {tool.url_env} to the address of the service")
    return HttpBoundTool(tool, url, outbound)
