"""What a node is told at start: one frozen model, read from a YAML file and the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from control_plane.contract import Identifier, Url
from edge.audit_trail import AuditSettings
from edge.egress.probe import EgressProbe
from edge.phone.settings import PORTS_PER_CALL, PhoneSettings
from edge.policy_settings import PolicySettings
from edge.recording.settings import RecordingsSettings
from edge.retention import Retention
from edge.section import HomePath, Section
from edge.session.keys_settings import KeysSettings
from edge.session.redis_settings import RedisSettings
from edge.transport.sip.core.flow import is_numeric
from edge.turn import TurnSettings
from regions.strict_yaml import load_yaml

Port = Annotated[int, Field(ge=0, le=65535)]
SECRET_VARIABLE = "INLAND_NODE_SECRET"


class HttpsFiles(Section):
    """Our certificate chain and its key, PEM."""

    certificate: HomePath
    key: HomePath


class NodeSettings(BaseModel):
    """One node of one region.

    Everything binds to loopback unless told otherwise. ``secret`` comes from the environment
    (``INLAND_NODE_SECRET``) or ``secret_file``, never from the YAML itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    node: Identifier
    region: Identifier
    host: str = "127.0.0.1"
    port: Port = 7100
    tls: HttpsFiles | None = None
    """Serve HTTPS on ``port``; without it HTTP, for a proxy in front."""
    public_url: Url | None = None
    """What candidates carry; by default ``http://host:port``, or ``https://`` with ``tls``."""
    health_host: str = "127.0.0.1"
    health_port: Port | None = None
    """Plain HTTP for /healthz, /readyz and /metrics, which then are on no other port."""
    media_host: str = "127.0.0.1"
    media_port: Port = 0
    """UDP port of worker 0, the next ones follow; 0 takes free ones."""
    advertised_host: str | None = None
    """Public address of the media ports behind 1:1 NAT."""
    workers: int = Field(default=1, ge=1, le=64)
    capacity: int = Field(default=50, ge=1, le=500)
    """Calls per worker."""
    data: Path
    """Directory for the store and the region's key; created 0700."""
    key_file: Path | None = None
    """The region's key, when it is not in ``data``; must be there, as all nodes need the same."""
    store: RedisSettings | None = None
    """Where sessions are kept; without it in a file in ``data``."""
    keys: KeysSettings = KeysSettings()
    """What wraps the keys of sessions, and where those are kept."""
    tenants: tuple[Identifier, ...] | None = Field(default=None, min_length=1, max_length=64)
    """The only tenants that this node serves; None: every tenant without nodes of its own."""
    agents: Path
    catalogue: Path | None = None
    providers: Path | None = None
    """The services that calls' data may go to; without it none but those of this machine."""
    control_planes: tuple[Url, ...] = Field(min_length=1, max_length=8)
    secret_file: Path | None = None
    recognizer: Literal["auto", "pocketsphinx", "sherpa"] = "auto"
    voice: Literal["auto", "espeak", "piper"] = "auto"
    models: Path | None = None
    drills: bool = False
    """Let a caller cut their own worker off, to show that the conversation survives."""
    drain_seconds: float = Field(default=30.0, ge=0.0, le=3600.0)
    max_call_seconds: float = Field(default=3600.0, ge=10.0, le=86_400.0)
    session_hours: float = Field(default=24.0, gt=0.0, le=24.0 * 365)
    """How long a session's journal is kept, at most."""
    retention: dict[Identifier, Retention] = Field(default_factory=dict, max_length=10_000)
    """Tenants whose data is kept for a shorter time, per class; an agent's file may say less."""
    recordings: RecordingsSettings | None = None
    """Where recordings of calls are kept; without it no agent of this node may record."""
    policy: PolicySettings | None = None
    """Whose policy bundles it goes by; without it the catalogue is the law until it ends."""
    audit: AuditSettings = AuditSettings()
    """Where it is written down who opened which session, and what operators did."""
    egress_probe: EgressProbe | None = None
    """Addresses that nothing here may reach, tried at start; None: as ``--production`` says."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sip: PhoneSettings | None = None
    """Phone calls; without it the node takes none."""
    turn: TurnSettings | None = None
    """Relays for callers whose network lets no UDP through; without it they get none."""

    @field_validator(
        "data", "key_file", "agents", "catalogue", "providers", "secret_file", "models"
    )
    @classmethod
    def _home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path is not None else None

    @model_validator(mode="after")
    def _takes_phone_calls(self) -> Self:
        problems = [] if self.sip is None else _phone_problems(self, self.sip)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _keeps_sessions(self) -> Self:
        if self.store is not None and self.tenants is not None:
            missing = [tenant for tenant in self.tenants if tenant not in self.store.users]
            if missing:
                raise ValueError(
                    f"store.users: no user for {', '.join(missing)} of tenants: add it"
                )
        return self

    @model_validator(mode="after")
    def _keeps_keys(self) -> Self:
        keys, problems = self.keys, []
        if keys.kms is not None:
            problems += [f"keys.kms.{problem}" for problem in keys.kms.problems(self.region)]
        problems += keys.misplaced(self.store)
        if self.recordings is not None:
            problems += [f"recordings.{each}" for each in self.recordings.problems(self.region)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def url(self) -> str:
        """Where callers reach the node's signalling."""
        scheme = "http" if self.tls is None else "https"
        return self.public_url or f"{scheme}://{self.host}:{self.port}"

    @property
    def store_path(self) -> Path:
        """The embedded session store, shared by the nodes of a region on one machine."""
        return self.data / "sessions.sqlite"

    @property
    def key_path(self) -> Path:
        """The region's key file."""
        return self.key_file or self.data / "region.key"


def _phone_problems(node: NodeSettings, phone: PhoneSettings) -> list[str]:
    """What of ``sip`` does not fit the rest of the node."""
    first, last = phone.media_ports
    problems = []
    if len(phone.media_ports_of(0, node.workers)) < node.capacity * PORTS_PER_CALL:
        needed = node.workers * node.capacity * PORTS_PER_CALL
        problems.append(
            f"sip.media_ports: {last + 1 - first} ports are too few for {node.workers} workers of "
            f"{node.capacity} calls: give {needed}, or lower capacity"
        )
    taken = range(node.media_port, node.media_port + node.workers) if node.media_port else ()
    udp = [listen.port for listen in phone.listens if listen.transport == "udp"]
    if any(first <= port <= last for port in (*taken, *udp)):
        problems.append("sip.media_ports: hold media_port or a port of sip.listen: move one")
    key = "sip.advertised_host" if phone.advertised_host is not None else "advertised_host"
    outside = phone.advertised_host or node.advertised_host
    if outside is not None and not is_numeric(outside):
        problems.append(
            f"{key}: media of phone calls is sent to a numeric address: write that of {outside}"
        )
    problems += [
        f"sip.trunks[{index}].routes: calls of trunk {trunk.name} come here, so "
        f"{node.region} is one of its routes: add it, or mend region"
        for index, trunk in enumerate(phone.trunks)
        if node.region not in trunk.routes
    ]
    return problems


def load_settings(path: Path) -> NodeSettings:
    """Read a node's settings. Raises ``regions.strict_yaml.ConfigError``."""
    return load_yaml(path, NodeSettings)


class SecretError(Exception):
    """The node has no secret to show to the control plane, or it is too short to be one."""


def node_secret(settings: NodeSettings, environ: Mapping[str, str] = os.environ) -> str:
    """The secret this node's region shares with the control plane. Raises :class:`SecretError`."""
    secret = environ.get(SECRET_VARIABLE, "")
    if not secret and settings.secret_file is not None:
        try:
            secret = settings.secret_file.read_text().strip()
        except OSError as error:
            raise SecretError(f"secret_file: {settings.secret_file}: {error.strerror}") from error
    if not re.fullmatch(r"[\x21-\x7e]{16,256}", secret):
        raise SecretError(
            f"no node secret: set {SECRET_VARIABLE} (16 to 256 visible characters), or secret_file "
            "in the node's settings; the control plane's settings hold its sha256"
        )
    return secret
