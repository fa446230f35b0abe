"""Who is behind the endpoints that a call's data may go to: the provider catalogue of a site.

The law says which regions may have a class of data; this says in which region a service runs, who
operates it, and what it was bought for. An endpoint that is not listed gets nothing.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator

from regions.models import Catalogue, CountryCode, DataClass, Id, Strict, Words
from regions.strict_yaml import load_yaml

Purpose: TypeAlias = Literal["model", "tool", "webhook", "stt", "tts"]
"""What a service is asked for."""
_PORTS = {"http": 80, "https": 443}


def address_fault(address: str) -> str | None:
    """Why no client may be made for this address at all, or None."""
    try:
        url = urlsplit(address)
        host, _ = url.hostname, url.port
    except ValueError:
        return "the port is not a number"
    if not host or url.username or url.password or url.query or url.fragment:
        return "the address must be scheme://host[:port][/path]"
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(host)):
        return None
    return "https is required beyond loopback"


def origin_of(address: str) -> str:
    """Scheme, host and port (RFC 6454, section 4), spelled in one way; "" for what has none."""
    if address_fault(address) is not None:
        return ""
    url: SplitResult = urlsplit(address)
    host = (url.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}:{url.port or _PORTS[url.scheme]}"


def is_loopback(host: str) -> bool:
    """Whether the host is this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(text: str) -> str:
    fault = address_fault(text)
    if fault is not None:
        raise ValueError(fault)
    if urlsplit(text).path.strip("/"):
        raise ValueError("an endpoint is scheme://host[:port], without a path")
    return origin_of(text)


Origin = Annotated[str, AfterValidator(_origin)]


class Operator(Strict):
    """The legal entity that runs a service, and the country whose courts it answers to."""

    name: Words
    country: CountryCode


class Provider(Strict):
    """One service in one region."""

    id: Id
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    endpoints: tuple[Origin, ...] = Field(min_length=1, max_length=64)
    region: Id
    """Where it processes what it is sent, by the catalogue's id of the place."""
    operator: Operator
    data_classes: tuple[DataClass, ...] = Field(min_length=1)
    """What the contract with the operator covers."""
    needs_key: bool = False
    """Whether its model answers only those who show a key: an agent that talks by it has to name
    one. Tools show none."""


class Providers(Strict):
    """The services of a site. An origin belongs to one of them, so it has one region."""

    providers: tuple[Provider, ...] = Field(default=(), max_length=256)

    def of(self, address: str) -> Provider | None:
        """Whose endpoint the address is below, or None."""
        return self._by_origin.get(origin_of(address))

    def fault(
        self, address: str, *, region: str, here: str, purpose: Purpose, data_class: DataClass
    ) -> str | None:
        """Why this data may not be sent there, whatever the law allows; or None.

        A service on the node's own loopback interface, said to run in the node's own region, needs
        no entry: it is the same machine. Whatever is said to run elsewhere does.
        """
        provider = self.of(address)
        if provider is None:
            host = urlsplit(address).hostname if origin_of(address) else None
            if host is not None and is_loopback(host) and region == here:
                return None
            return f"{origin_of(address) or 'its address'} is not in the provider catalogue"
        if provider.region != region:
            return f"{provider.id} runs in {provider.region} and not in {region}"
        if purpose not in provider.purposes:
            return f"{provider.id} is there for {', '.join(provider.purposes)}, not as {purpose}"
        if data_class not in provider.data_classes:
            return f"{provider.id} may not be sent {data_class.value}"
        return None

    @cached_property
    def _by_origin(self) -> dict[str, Provider]:
        return {origin: each for each in self.providers for origin in each.endpoints}

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        problems = [
            f"{what} {name} is there {count} times: give each service its own"
            for what, names in (
                ("id", [each.id for each in self.providers]),
                ("endpoint", [origin for each in self.providers for origin in each.endpoints]),
            )
            for name, count in Counter(names).items()
            if count > 1
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load_providers(path: Path | None) -> Providers:
    """The catalogue in ``path``; without one, nobody is listed. Raises ``ConfigError``."""
    return Providers() if path is None else load_yaml(path, Providers)


def unknown_regions(providers: Providers, catalogue: Catalogue) -> tuple[str, ...]:
    """A sentence for each entry whose region no law of the catalogue speaks of."""
    known = {region.id for region in catalogue.regions}
    return tuple(
        f"{each.id}: there is no region {each.region}{catalogue.hint(each.region)}"
        for each in providers.providers
        if each.region not in known
    )
