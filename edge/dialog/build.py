"""From an agent file to a conductor that is ready to talk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from edge.clock import SystemClock
from edge.dialog.agent import AgentSpec, HttpTool, PythonTool, arguments_for
from edge.dialog.conductor import Conductor
from edge.dialog.endpoints import model_of, tool_url
from edge.dialog.flow import FlowConductor
from edge.dialog.model_conductor import ModelConductor
from edge.dialog.models import SseChatModel
from edge.dialog.tool_http import HttpBoundTool
from edge.dialog.tool_python import PythonBoundTool
from edge.dialog.tools import BoundTool, ToolLedger, ToolRunner
from edge.ledger import Ledger
from edge.outbound import Outbound, Pool
from regions.strict_yaml import ConfigError


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
    nowhere = Outbound(here="", allowed={}, pool=Pool(), ledger=Ledger(SystemClock()))
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


def _bind(tool: HttpTool | PythonTool, outbound: Outbound, environ: Mapping[str, str]) -> BoundTool:
    if isinstance(tool, PythonTool):
        return PythonBoundTool(tool, outbound)
    return HttpBoundTool(tool, tool_url(tool, environ), outbound)
