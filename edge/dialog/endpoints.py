"""The services that an agent would send a call's data to: what it uses, and what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.dialog.agent import AgentSpec, HttpTool, Model
from edge.outbound import Endpoint
from regions.models import DataClass
from regions.strict_yaml import ConfigError

MODEL_URL, MODEL_NAME = "INLAND_MODEL_URL", "INLAND_MODEL"
MODEL_KEY, MODEL_REGION = "INLAND_MODEL_KEY", "INLAND_MODEL_REGION"


@dataclass(frozen=True, slots=True)
class Use:
    """One service that an agent uses."""

    what: str
    """For an operator: ``tool 'visits'``, ``model``."""
    endpoint: Endpoint
    key_env: str | None = None
    """The environment variable that its key is in."""


def model_endpoint(model: Model) -> Endpoint:
    """Where the words of a conversation go."""
    return Endpoint("model", model.url, model.region, "model", frozenset({DataClass.TRANSCRIPT}))


def tool_endpoint(tool: HttpTool, url: str) -> Endpoint:
    """Where a tool's arguments go."""
    return Endpoint(tool.name, url, tool.region, "tool", frozenset({DataClass.VARIABLES}))


def uses_of(spec: AgentSpec, environ: Mapping[str, str]) -> Iterator[Use]:
    """Every service of an agent. Raises ``ConfigError`` for one that is not complete."""
    for tool in spec.tools:
        if isinstance(tool, HttpTool):
            yield Use(f"tool {tool.name!r}", tool_endpoint(tool, tool_url(tool, environ)))
    model = model_of(spec, environ)
    if model is not None:
        yield Use("model", model_endpoint(model), model.api_key_env)


def tool_url(tool: HttpTool, environ: Mapping[str, str]) -> str:
    """Where a tool's service is: by the environment, else by the file. Raises ``ConfigError``."""
    url = (environ.get(tool.url_env) if tool.url_env else None) or tool.url
    if url is None:
        raise ConfigError(f"tool {tool.name!r}: set {tool.url_env} to the address of the service")
    return url


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
