"""Who may ask for a place: tenants, their agents and their keys, from one strict YAML file."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from control_plane.contract import CountryCode, Identifier
from control_plane.errors import SettingsError
from control_plane.ratelimit import Rate
from regions.errors import Fault
from regions.errors import Path as KeyPath
from regions.models import Catalogue, Strict, TenantPolicy
from regions.strict_yaml import load_yaml, located

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""``printf %s KEY | sha256sum``. A plain hash is enough only because keys are random: 128 bits."""
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$")]
"""An origin as a browser writes it (RFC 6454, section 6.2): no path, no default port."""

_KEY = re.compile(r"(?:sk|pk)_[0-9A-Za-z_-]{4,120}")
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?")


class RateLimit(Strict):
    """A token bucket's measure: ``per_second`` on average, ``burst`` at once."""

    per_second: float = Field(gt=0, le=10_000)
    burst: int = Field(ge=1, le=100_000)

    @property
    def rate(self) -> Rate:
        return Rate(self.per_second, self.burst)


class SecretKey(Strict):
    """A key for servers; only its SHA-256 is kept."""

    sha256: Sha256


class PublishableKey(Strict):
    """A key for browsers: public by nature, tied to the sites that may use it."""

    key: Annotated[str, StringConstraints(pattern=r"^pk_[0-9A-Za-z_-]{4,120}$")]
    origins: tuple[Origin, ...] = ()
    loopback: bool = False
    """Also pages served over http from this very machine, on any port: for demos and development.
    A page on the open web cannot have such an origin."""

    def allows(self, origin: str) -> bool:
        """Whether a page of ``origin`` may use the key; equal to a listed one, never a pattern."""
        return origin in self.origins or (self.loopback and _is_loopback(origin))

    @model_validator(mode="after")
    def _used_somewhere(self) -> Self:
        if not self.origins and not self.loopback:
            raise ValueError("no site may use this key: list `origins`, or set `loopback: true`")
        return self


class Agent(Strict):
    """An agent of a tenant. What is declared here about its callers binds, whatever they say."""

    country: CountryCode | None = None
    jurisdictions: tuple[Identifier, ...] = Field(default=(), max_length=8)


class Tenant(Strict):
    """Who runs agents."""

    id: Identifier
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    policy: TenantPolicy = Field(default_factory=TenantPolicy)
    isolation: Literal["pooled", "dedicated"] = "pooled"
    """``dedicated``: its callers go to nodes that name it in their settings, and to no other."""
    default_country: CountryCode | None = None
    """Where a caller is taken to be when nothing else says it."""
    agents: dict[Identifier, Agent] = Field(min_length=1)
    secret_keys: tuple[SecretKey, ...] = ()
    publishable_keys: tuple[PublishableKey, ...] = ()
    rate: RateLimit = RateLimit(per_second=50, burst=200)
    """For each key."""
    client_rate: RateLimit = RateLimit(per_second=1, burst=20)
    """For each publishable key and client address."""


class TenantsFile(Strict):
    """The whole file."""

    tenants: tuple[Tenant, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a presented key stands for. ``name`` identifies the key in memory without being it."""

    tenant: Tenant
    publishable: PublishableKey | None
    name: bytes


class Tenants:
    """Finds the tenant of a key without telling by its timing how near a guess was.

    Keys are looked up by an HMAC under a key of this process: an attacker knows neither the value
    that is compared nor how it relates to the guess.
    """

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._secret = secrets.token_bytes(32)
        self._grants: dict[bytes, Grant] = {}
        self.all = tuple(tenants)
        self._by_id = {tenant.id: tenant for tenant in self.all}
        publishable = [key for tenant in self.all for key in tenant.publishable_keys]
        self._origins = {origin for key in publishable for origin in key.origins}
        self._loopback = any(key.loopback for key in publishable)
        for tenant in self.all:
            for secret in tenant.secret_keys:
                self._add(tenant, None, bytes.fromhex(secret.sha256))
            for key in tenant.publishable_keys:
                self._add(tenant, key, _sha256(key.key))

    def grant(self, key: str) -> Grant | None:
        """What ``key`` stands for, or None."""
        if _KEY.fullmatch(key) is None:
            return None
        grant = self._grants.get(self._blind(_sha256(key)))
        if grant is None or (grant.publishable is None) != key.startswith("sk_"):
            return None
        return grant

    def named(self, tenant: str) -> Tenant | None:
        """The tenant of that id, or None: for nodes, who speak of tenants by name."""
        return self._by_id.get(tenant)

    def knows_origin(self, origin: str) -> bool:
        """Whether any publishable key may be used from ``origin``; a preflight names no key."""
        return origin in self._origins or (self._loopback and _is_loopback(origin))

    def _add(self, tenant: Tenant, key: PublishableKey | None, digest: bytes) -> None:
        name = self._blind(digest)
        if name in self._grants:
            raise SettingsError(
                f"tenant {tenant.id}: one of its keys is also {self._grants[name].tenant.id}'s, "
                "or listed twice; every key must stand for one tenant"
            )
        self._grants[name] = Grant(tenant, key, name)

    def _blind(self, digest: bytes) -> bytes:
        return hmac.digest(self._secret, digest, "sha256")


def load_tenants(path: Path, catalogue: Catalogue) -> Tenants:
    """Read ``path`` and hold it against ``catalogue``.

    Raises ``ConfigError`` where the file is not what this module describes, ``SettingsError``
    where it names what the catalogue does not have.
    """
    file = load_yaml(path, TenantsFile)
    found = tuple(faults(file, catalogue))
    if found:
        raise SettingsError("\n".join(located(path, found)))
    return Tenants(file.tenants)


def faults(file: TenantsFile, catalogue: Catalogue) -> Iterator[Fault]:
    """What no caller of these tenants could be served with, and at which key."""
    seen: set[str] = set()
    for number, tenant in enumerate(file.tenants):
        where: KeyPath = ("tenants", number)
        if tenant.id in seen:
            yield Fault((*where, "id"), f"tenant {tenant.id} is listed twice")
        seen.add(tenant.id)
        for fault in _of_tenant(tenant, catalogue):
            yield Fault((*where, *fault.path), f"tenant {tenant.id}: {fault.words}")


def _of_tenant(tenant: Tenant, catalogue: Catalogue) -> Iterator[Fault]:
    for fault in tenant.policy.faults(catalogue):
        yield Fault(("policy", *fault.path), fault.words)
    if not tenant.secret_keys and not tenant.publishable_keys:
        yield Fault((), "has no key, so nobody can call its agents")
    if tenant.default_country and catalogue.jurisdiction_of(tenant.default_country) is None:
        words = f"{tenant.default_country!r} is under no known jurisdiction"
        yield Fault(("default_country",), words)
    known = {law.id for law in catalogue.jurisdictions}
    for name, agent in tenant.agents.items():
        for number, law in enumerate(agent.jurisdictions):
            if law not in known:
                words = f"agent {name}: unknown jurisdiction {law!r}"
                yield Fault(("agents", name, "jurisdictions", number), words)
        if agent.country and catalogue.jurisdiction_of(agent.country) is None:
            words = f"agent {name}: {agent.country!r} is under no known jurisdiction"
            yield Fault(("agents", name, "country"), words)


def _is_loopback(origin: str) -> bool:
    return _LOOPBACK.fullmatch(origin) is not None


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
