"""A trunk of the ``sip:`` section: a carrier or PBX, what it may bring and where it may go."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from control_plane.contract import CountryCode, Identifier
from edge.phone.fields import (
    Fingerprint,
    Network,
    NetworkText,
    PeerAddress,
    TargetPattern,
    UserPart,
    VariableName,
)
from edge.section import HomePath, Section

Srtp: TypeAlias = Literal["off", "optional", "required"]
WIDEST_V4 = 8
WIDEST_V6 = 19
"""Prefixes: a network wider than these is a good part of the Internet, and no carrier's."""


class PasswordError(Exception):
    """A password that the settings name is not there; ``str()`` says where it was looked for."""


class Password(Section):
    """Where a password is: in a file or in the environment, never in the settings."""

    password_file: HomePath | None = None
    password_env: VariableName | None = None

    @property
    def has_password(self) -> bool:
        return self.password_file is not None or self.password_env is not None

    def password(self, environ: Mapping[str, str]) -> str:
        """The password itself. Raises :class:`PasswordError`."""
        if self.password_file is not None:
            try:
                found = self.password_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise PasswordError(f"{self.password_file}: {type(error).__name__}") from error
            where = str(self.password_file)
        else:
            found = environ.get(self.password_env or "", "")
            where = f"environment variable {self.password_env}"
        if not found:
            raise PasswordError(f"{where}: is empty or not there")
        return found

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("password_file and password_env are both there: keep one")
        return self


class TrunkTls(Section):
    """How a trunk's certificate is checked when we connect: by default as a browser would."""

    verify: bool = True
    ca: HomePath | None = None
    """Authorities (PEM) in place of the machine's."""
    fingerprint: Fingerprint | None = None
    """SHA-256 of the one certificate it may have, whoever issued it."""
    certificate: HomePath | None = None
    key: HomePath | None = None
    """Ours (PEM), when it asks for one."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: add the other")
        return self


class InboundAuth(Password):
    """The name and password by which calls from a trunk prove where they come from (digest)."""

    username: UserPart

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.has_password:
            raise ValueError("add password_file or password_env")
        return self


class Trunk(Password):
    """A carrier or PBX. ``username`` and password answer *its* challenges to our calls."""

    name: Identifier
    address: PeerAddress | None = None
    """Where our calls and OPTIONS go; without it the trunk only brings calls."""
    networks: tuple[NetworkText, ...] = Field(default=(), max_length=256)
    """Calls from there are its calls."""
    username: UserPart | None = None
    inbound_auth: InboundAuth | None = None
    """Asked of its calls: besides the network, or in its place when no network is listed."""
    srtp: Srtp = "optional"
    tls: TrunkTls = TrunkTls()
    routes: tuple[Identifier, ...] = Field(min_length=1, max_length=32)
    """Every region the trunk tries by itself when this one does not answer or says 503."""
    national_format: CountryCode | None = None
    """It writes numbers without a plus as people dial in this country."""
    trust_identity: bool = False
    """Believe its P-Asserted-Identity and Remote-Party-ID (RFC 3325, section 4)."""
    caller_id: UserPart | None = None
    """From whom our calls are, unless the call says otherwise."""
    transfer: tuple[TargetPattern, ...] = Field(default=(), max_length=100)
    """To whom callers may be handed over; nobody when empty."""
    options_seconds: float = Field(default=30.0, ge=5.0, le=3600.0)
    """Between two questions whether it is there."""
    max_calls: int = Field(default=100, ge=1, le=10_000)
    calls_per_second: float = Field(default=20.0, gt=0.0, le=1000.0)

    @property
    def sources(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.networks)

    def may_transfer_to(self, target: str) -> bool:
        """Whether a caller may be handed to ``target``, as an agent's file writes it."""
        return any(
            target.startswith(pattern[:-1]) if pattern.endswith("*") else target == pattern
            for pattern in self.transfer
        )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.address is None and not self.networks and self.inbound_auth is None:
            raise ValueError("add address for our calls, networks or inbound_auth for its calls")
        if (self.username is not None) != self.has_password:
            raise ValueError("username goes with password_file or password_env: add the other")
        for network in self.sources:
            widest = WIDEST_V4 if network.version == 4 else WIDEST_V6
            if network.prefixlen < widest and self.inbound_auth is None:
                raise ValueError(
                    f"networks: {network} lets the Internet in: name the carrier's own networks, "
                    "or ask for a password with inbound_auth"
                )
        return self
