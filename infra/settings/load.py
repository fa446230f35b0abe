"""Reads stack files, and the flat configuration that Pulumi hands to a running program.

Both hold the same keys, ``inland-region:vpcCidr`` say. Pulumi's own keys beside ``config`` are
tolerated; ``aws:`` keys are not, since the program alone says which provider, account and region.
Source: Pulumi's documentation, "Stack settings file reference" and "Configuration" (2026-11-21).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.names import CONTROL_PLANE
from infra.settings.problems import CONTROL_PLANE_PROJECT, REGION_PROJECT
from infra.settings.region import RegionStack
from regions.errors import ConfigError
from regions.models import Strict
from regions.strict_yaml import load_yaml
from regions.yaml_cures import cure_of

Stack = TypeVar("Stack", RegionStack, ControlPlaneStack)


class _RegionConfig(RegionStack):
    """The same fields, under the names that Pulumi gives them."""

    model_config = ConfigDict(
        alias_generator=lambda name: f"{REGION_PROJECT}:{to_camel(name)}", populate_by_name=False
    )


class _ControlPlaneConfig(ControlPlaneStack):
    """The same fields, under the names that Pulumi gives them."""

    model_config = ConfigDict(
        alias_generator=lambda name: f"{CONTROL_PLANE_PROJECT}:{to_camel(name)}",
        populate_by_name=False,
    )


class _Envelope(Strict):
    """What Pulumi keeps in a stack file besides the configuration."""

    encryptionsalt: str | None = None
    secretsprovider: str | None = None
    encryptedkey: str | None = None


class _RegionFile(_Envelope):
    config: _RegionConfig


class _ControlPlaneFile(_Envelope):
    config: _ControlPlaneConfig


def load_region_stack(path: Path) -> RegionStack:
    """Read ``Pulumi.<region>.yaml``. Raises ``ConfigError`` with file, line, key and cure."""
    return _plain(load_yaml(path, _RegionFile).config, RegionStack)


def load_control_plane_stack(path: Path) -> ControlPlaneStack:
    """Read ``Pulumi.control-plane.yaml``. Raises ``ConfigError`` with file, line, key and cure."""
    return _plain(load_yaml(path, _ControlPlaneFile).config, ControlPlaneStack)


def load_stack(path: Path) -> RegionStack | ControlPlaneStack:
    """Read a stack file of either project, told apart by its name. Raises ``ConfigError``."""
    if stack_of(path) == CONTROL_PLANE:
        return load_control_plane_stack(path)
    return load_region_stack(path)


def stack_of(path: Path) -> str:
    """The stack that a file is of: ``Pulumi.eu-central-1.yaml`` is ``eu-central-1``'s."""
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")


def from_config(values: Mapping[str, str]) -> RegionStack:
    """A region's stack from ``{"inland-region:edge": "{...}"}``, as a program is given it.

    Structures are JSON texts. Keys of other projects are refused, but for ``pulumi:``. Raises
    ``ConfigError`` with the key and the cure.
    """
    return _plain(_validated(values, _RegionConfig), RegionStack)


def control_plane_from_config(values: Mapping[str, str]) -> ControlPlaneStack:
    """The same for the control plane's stack."""
    return _plain(_validated(values, _ControlPlaneConfig), ControlPlaneStack)


def _plain(config: Stack, kind: type[Stack]) -> Stack:
    """The stack itself: equal to one that was made by hand."""
    return kind.model_validate({name: getattr(config, name) for name in kind.model_fields})


Config = TypeVar("Config", _RegionConfig, _ControlPlaneConfig)


def _validated(values: Mapping[str, str], model: type[Config]) -> Config:
    texts = {field.alias for field in model.model_fields.values() if _is_text(field.annotation)}
    data: dict[str, Any] = {}
    for key, value in values.items():
        if key.startswith("pulumi:"):
            continue
        try:
            data[key] = value if key in texts or key not in _keys(model) else json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{key}: not JSON: {error.msg}") from error
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ConfigError("\n".join(_problems(error, model))) from error


def _problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    found = []
    for detail in error.errors(include_url=False):
        where = ""
        for part in detail["loc"]:
            where += f"[{part}]" if isinstance(part, int) else f".{part}"
        found.append(f"{where.removeprefix('.')}: {cure_of(detail, model)}")
    return found


def _keys(model: type[BaseModel]) -> set[str | None]:
    return {field.alias for field in model.model_fields.values()}


def _is_text(annotation: Any) -> bool:
    if annotation is str:
        return True
    arms = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _is_text(arms[0])
    return type(None) in arms and any(_is_text(arm) for arm in arms)
