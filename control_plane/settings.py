"""What an operator sets, validated before anything starts.

A YAML file, then ``INLAND_CONTROL_<FIELD>`` from the environment, then flags: the later wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from control_plane.contract import Identifier
from control_plane.errors import SettingsError
from control_plane.tenants import Sha256
from regions.models import Strict
from regions.policy_keys import PolicyKeyText
from regions.strict_yaml import load_yaml

ENVIRONMENT_PREFIX = "INLAND_CONTROL_"
_JSON_FIELDS = ("node_secrets", "published_keys", "policy")
"""Fields that the environment gives as JSON."""


def _several(found: Any) -> Any:
    """One secret may be written without a list."""
    return (
        (found,) if isinstance(found, str) else tuple(found) if isinstance(found, list) else found
    )


Secrets = Annotated[
    tuple[Sha256, ...], BeforeValidator(_several), Field(min_length=1, max_length=60)
]


class PolicySource(Strict):
    """Where the signed law is (docs/policy.md)."""

    bundle: Path
    """Watched: a newer one that is put there is in force within seconds."""
    keys: tuple[PolicyKeyText, ...] = Field(min_length=1, max_length=8)
    """The public keys of who may sign it; several while one replaces another."""
    state: Path = Path("policy.state")
    """Remembers the last serial that was in force, so that an older bundle is refused after a
    restart too. Made when there is none."""

    def relative_to(self, folder: Path) -> PolicySource:
        """The same source with every path taken from ``folder``."""
        update = {"bundle": folder / self.bundle, "state": folder / self.state}
        return self.model_copy(update=update)


class Settings(Strict):
    """Everything that differs between two control planes.

    Paths in a file are relative to the file's folder. Secrets appear only as their SHA-256
    (``printf %s SECRET | sha256sum``), so this file may be read by others.
    """

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=7000, ge=0, le=65535)
    """0 takes any free port."""
    tenants: Path = Path("tenants.yaml")
    catalogue: Path | None = None
    """None: the catalogue that comes with Inland. With a ``policy`` the bundle's own counts."""
    policy: PolicySource | None = None
    """None: the law is the catalogue, and changes with a restart alone."""
    key_file: Path = Path("control-plane.key")
    """Signs route tokens; made with mode 0600 when there is none."""
    published_keys: tuple[Path, ...] = Field(default=(), max_length=8)
    """Public keys (PEM) that edges accept as well: other replicas', and during a rotation."""
    node_secrets: dict[Identifier, Secrets] = Field(default_factory=dict)
    """For each region, the secret by which its nodes may beat; several while one replaces another,
    and where a tenant has an account of its own in the region."""
    operator_key: Sha256 | None = None
    """Opens ``/v1/state``; when set, ``/metrics`` asks for it too."""
    trust_country_header: Literal["CF-IPCountry", "CloudFront-Viewer-Country"] | None = None
    """The one header that the network in front overwrites. Trusting a header that it passes
    through would let callers choose their law."""
    trusted_proxies: int = Field(default=0, ge=0, le=8)
    """How many proxies in front append to ``X-Forwarded-For``: only rate limits look at it."""
    idle_seconds: float = Field(default=20, ge=1, le=600)
    """A connection without a complete request for so long is closed, half-sent headers included.
    Behind a proxy that reuses connections, set it above that proxy's own idle time."""
    drain_seconds: float = Field(default=0, ge=0, le=300)
    """After a stop, how long ``/readyz`` says 503 while requests are still served."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _one_secret_per_region(self) -> Self:
        all_of_them = [digest for digests in self.node_secrets.values() for digest in digests]
        if len({*all_of_them}) != len(all_of_them):
            raise ValueError("a secret stands twice in node_secrets: give each region its own")
        return self

    def relative_to(self, folder: Path) -> Settings:
        """The same settings with every path taken from ``folder``."""
        return self.model_copy(
            update={
                "tenants": folder / self.tenants,
                "catalogue": None if self.catalogue is None else folder / self.catalogue,
                "policy": None if self.policy is None else self.policy.relative_to(folder),
                "key_file": folder / self.key_file,
                "published_keys": tuple(folder / path for path in self.published_keys),
            }
        )


def read_settings(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> Settings:
    """Settings from file, environment and flags; a flag that is None was not given.

    Raises ``ConfigError`` for the file, ``SettingsError`` for the rest.
    """
    settings = Settings()
    if path is not None:
        settings = load_yaml(path, Settings).relative_to(path.resolve().parent)
    given = settings.model_dump(mode="json") | dict(_from(environment))
    given |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate_json(json.dumps(given), strict=False)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise SettingsError(
            f"{name} (flag or {ENVIRONMENT_PREFIX}{name.upper()}): {first['msg']}"
        ) from error


def _from(environment: Mapping[str, str]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        variable = ENVIRONMENT_PREFIX + name.upper()
        text = environment.get(variable, "")
        if not text:
            continue
        if name not in _JSON_FIELDS:
            found[name] = text
            continue
        try:
            found[name] = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{variable}: not JSON: {error}") from error
    return found
